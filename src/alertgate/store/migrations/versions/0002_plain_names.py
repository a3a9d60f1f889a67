"""Store what resolved an incident apart from who did, rename columns, and drop indexes that every alert rewrites."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RESOLVED = sa.text("status = 'resolved'")
ENDED = sa.text("resolved_at IS NOT NULL")
UNRESOLVED = sa.text("status <> 'resolved'")
RENAMED = (("key", "incident_key"), ("dedup", "repeat_key"), ("grouping", "reason"))

incidents = sa.table(
    "incidents", sa.column("resolution", sa.Text), sa.column("resolved_by", sa.Text), sa.column("status")
)
AN_ALERT = incidents.c.resolved_by.like("alert ________-____-____-____-____________")
"""The mark of an incident that an alert resolved: the word "alert" and the alert's id."""


def upgrade() -> None:
    op.add_column("incidents", sa.Column("resolution", sa.String(16)))
    resolved = incidents.update().where(incidents.c.status == "resolved")
    by_alert = {"resolution": "alert", "resolved_by": sa.func.substr(incidents.c.resolved_by, len("alert ") + 1)}
    op.execute(resolved.where(AN_ALERT).values(**by_alert))
    by_silence = {"resolution": "silence", "resolved_by": None}
    op.execute(
        resolved.where(incidents.c.resolution.is_(None), incidents.c.resolved_by == "silence").values(**by_silence)
    )
    op.execute(resolved.where(incidents.c.resolution.is_(None)).values(resolution="person"))
    op.drop_index("incidents_quiet", "incidents")
    op.drop_index("incidents_ended", "incidents")
    op.create_index("incidents_resolved_at", "incidents", ["resolved_at"], sqlite_where=ENDED, postgresql_where=ENDED)
    op.drop_index("alerts_dedup", "alerts")
    for before, after in RENAMED:
        op.alter_column("alerts", before, new_column_name=after)
    op.create_index("alerts_repeat_key", "alerts", ["repeat_key"], unique=True)
    op.rename_table("pulse", "write_probe")


def downgrade() -> None:
    op.rename_table("write_probe", "pulse")
    op.drop_index("alerts_repeat_key", "alerts")
    for before, after in RENAMED:
        op.alter_column("alerts", after, new_column_name=before)
    op.create_index("alerts_dedup", "alerts", ["dedup"], unique=True)
    op.drop_index("incidents_resolved_at", "incidents")
    op.create_index("incidents_ended", "incidents", ["last_alert_at"], sqlite_where=RESOLVED, postgresql_where=RESOLVED)
    op.create_index(
        "incidents_quiet", "incidents", ["last_alert_at"], sqlite_where=UNRESOLVED, postgresql_where=UNRESOLVED
    )
    prefixed = sa.literal("alert ") + incidents.c.resolved_by
    op.execute(incidents.update().where(incidents.c.resolution == "alert").values(resolved_by=prefixed))
    op.execute(incidents.update().where(incidents.c.resolution == "silence").values(resolved_by="silence"))
    op.drop_column("incidents", "resolution")
