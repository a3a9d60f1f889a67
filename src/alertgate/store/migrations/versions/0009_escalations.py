"""Store how far escalations are, whom notifications tell, and what holds them; `escalation` becomes `rise`."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HELD = sa.text("status = 'pending' AND hold IS NOT NULL")
RUNNING = sa.text("next_at IS NOT NULL")
NEW_KINDS = ("handoff", "reminder", "unanswered", "acknowledgement")


def upgrade() -> None:
    op.create_table(
        "escalations",
        sa.Column("incident_id", sa.String(36), sa.ForeignKey("incidents.id"), primary_key=True),
        sa.Column("escalation", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("wait", sa.BigInteger, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("step_at", sa.BigInteger),
        sa.Column("reminders", sa.Integer, nullable=False),
        sa.Column("reminded_at", sa.BigInteger),
        sa.Column("first_sent_at", sa.BigInteger),
        sa.Column("gave_up", sa.Boolean, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("next_at", sa.BigInteger),
    )
    op.create_index("escalations_running", "escalations", ["next_at"], sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.add_column("incidents", sa.Column("first_firing_at", sa.BigInteger))
    op.add_column("incidents", sa.Column("snoozed_until", sa.BigInteger))
    op.add_column("notifications", sa.Column("person", sa.Text))
    op.add_column("notifications", sa.Column("via", sa.Text))
    op.add_column("notifications", sa.Column("hold", sa.String(16)))
    op.add_column("notifications", sa.Column("released_at", sa.BigInteger))
    op.create_index("notifications_held", "notifications", ["due_at"], sqlite_where=HELD, postgresql_where=HELD)
    op.execute("UPDATE notifications SET kind = 'rise' WHERE kind = 'escalation'")


def downgrade() -> None:
    op.execute("UPDATE notifications SET kind = 'escalation' WHERE kind = 'rise'")
    for kind in NEW_KINDS:
        op.execute(f"UPDATE notifications SET kind = 'update' WHERE kind = '{kind}'")  # noqa: S608  (a constant)
    op.drop_index("notifications_held", "notifications")
    op.drop_column("notifications", "released_at")
    op.drop_column("notifications", "hold")
    op.drop_column("notifications", "via")
    op.drop_column("notifications", "person")
    op.drop_column("incidents", "snoozed_until")
    op.drop_column("incidents", "first_firing_at")
    op.drop_table("escalations")
