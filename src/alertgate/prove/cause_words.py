"""The sentences about the causes of alertgate's own troubles, in one table. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from alertgate.prove.troubles import Cause


class CauseWords(NamedTuple):
    """The words for one cause."""

    why: str
    remedy: str
    means: str = ""
    """What it means, where that is something else than what the trouble means."""


CAUSES: Mapping[Cause, CauseWords] = MappingProxyType(
    {
        Cause.ADDRESS_LIMIT: CauseWords(
            "over RATE_LIMIT",
            "Find out why so much is sent from one address. If that is right, raise RATE_LIMIT; if it is your proxy's "
            "address, set TRUSTED_PROXIES.",
        ),
        Cause.DEVICE_LIMIT: CauseWords(
            "over PARTICLE_RATE_LIMIT",
            "Find out why the device publishes so often. If that is right, raise PARTICLE_RATE_LIMIT.",
        ),
        Cause.BYTES_LIMIT: CauseWords(
            "more than 1 GiB stored within an hour",
            "Find out what sends so much. If it isn't yours, somebody has the webhook's secret: renew it.",
        ),
        Cause.CONTENT_LIMIT: CauseWords(
            "more than 16 MiB of large content within an hour",
            "Find out what sends so much. If it isn't yours, somebody has the webhook's secret: renew it.",
        ),
        Cause.TOO_LARGE: CauseWords("larger than MAX_BODY_BYTES", "Send less in one alert, or raise MAX_BODY_BYTES."),
        Cause.STORE_UNAVAILABLE: CauseWords(
            "the database couldn't be used", "Look for store.failed in the log: it has the database's error."
        ),
        Cause.STORE_SLOW: CauseWords(
            "the database was too slow",
            "Look for what slows the database down, such as a lock or a full disk. Some of the alerts may be stored "
            "all the same.",
        ),
        Cause.STORE_REFUSED: CauseWords(
            "the database refused what they hold",
            "Look for alert.refused in the log: it has the alerts' events and the database's error. Please report it, "
            "because alertgate should store any alert.",
        ),
        Cause.POLICY_MISSING: CauseWords(
            "missing",
            "Restore the file, or name another one in POLICY_FILE; then send SIGHUP. To have no policy, run "
            "`alertgate policy forget`.",
        ),
        Cause.POLICY_INVALID: CauseWords(
            "invalid", "Run `alertgate check`, which names each problem; fix the file, and send SIGHUP."
        ),
        Cause.POLICY_UNSTORED: CauseWords(
            "the database couldn't store it", "Send SIGHUP again: the database works now."
        ),
        Cause.POLICY_FOREIGN: CauseWords(
            "the stored policy is from another version of alertgate",
            "Run the same version everywhere, then send SIGHUP.",
        ),
        Cause.POLICY_UNREAD: CauseWords(
            "this version can't read the stored policy",
            "Run the version of alertgate again that stored it; or run `alertgate check`, which names each problem, "
            "fix the file, and send SIGHUP.",
            "No policy is in force: the recipients of the settings are told of everything, at any hour. Devices aren't "
            "watched: no silence is told, and none is over, before a policy is in force again.",
        ),
        Cause.POLICY_FAILED: CauseWords(
            "alertgate itself failed at reading it",
            "Look for policy.failed in the log, and please report it. Undo what was changed last in the file, and send "
            "SIGHUP.",
        ),
        Cause.CHANNEL_LOGIN: CauseWords(
            "its server refuses the login",
            "Check SMTP_USERNAME and SMTP_PASSWORD (with Gmail it must be an app password), run `alertgate check`, and "
            "restart alertgate.",
        ),
        Cause.CHANNEL_LOGINS: CauseWords(
            "its server has seen too many logins",
            "Wait; alertgate tries again by itself. If it comes back, lower SMTP_CONNECTIONS, and see who else uses "
            "this account.",
        ),
        Cause.CHANNEL_BUSY: CauseWords(
            "its server asks to try again later",
            "Wait; alertgate tries again by itself. If it lasts for hours, ask the server's operator.",
        ),
        Cause.CHANNEL_LIMIT: CauseWords(
            "its account has reached the server's daily limit",
            "Find out what raises so many alerts. Set SMTP_DAILY_LIMIT to what the account may send, so that what is "
            "critical has a reserve.",
        ),
        Cause.CHANNEL_SENDER: CauseWords(
            "its server doesn't accept the sender",
            "Set SMTP_EMAIL to an address that this account may send from, or allow that address at the server.",
        ),
        Cause.CHANNEL_RELAY: CauseWords(
            "its server passes no mail on for alertgate",
            "Set SMTP_PASSWORD if the server wants a login, else have it allow this machine's address.",
        ),
        Cause.CHANNEL_HOST: CauseWords(
            "its server refuses this machine's name or address",
            "Set SMTP_HELO_NAME to this machine's full name; see that its address has reverse DNS and is on no block "
            "list, or send through your provider's mail server.",
        ),
        Cause.CHANNEL_CONNECTION: CauseWords(
            "its server can't be reached",
            "Check SMTP_HOST, SMTP_PORT, the server and the network, for example with `alertgate check`.",
        ),
        Cause.CHANNEL_TLS: CauseWords(
            "no verified TLS with its server",
            "Check the server's certificate, and SMTP_SECURITY, SMTP_HOST and SMTP_CA_FILE, with `alertgate check`.",
        ),
        Cause.CHANNEL_TIMEOUT: CauseWords(
            "its server doesn't answer in time",
            "See what slows the server or the network down; if it is always slow, raise SMTP_TIMEOUT.",
        ),
        Cause.CHANNEL_STORAGE: CauseWords(
            "the outbox can't be written", "Free space on the disk of DATA_DIR, and check who owns the outbox."
        ),
        Cause.CHANNEL_REFUSED: CauseWords(
            "its server refuses alertgate", "Read its answer, and the log's channel.paused; then run `alertgate check`."
        ),
        Cause.CREDENTIAL_WRONG: CauseWords(
            "a wrong token or signature",
            "Find out which sender it is, for example one that was forgotten when a secret was rotated, and give it "
            "the present secret. If you don't know it, nothing: it isn't let in.",
        ),
        Cause.CREDENTIAL_MISSING: CauseWords(
            "no token at all",
            "Look for a webhook without the header Authorization: Bearer PARTICLE_WEBHOOK_SECRET in Particle's "
            "console. If there is none, nothing: it isn't let in.",
        ),
        Cause.CREDENTIAL_EXPIRED: CauseWords(
            "a signature of another time",
            "Set the clock of the sender, and that of this machine.",
        ),
        Cause.CREDENTIAL_OFF: CauseWords(
            "a credential switched off here",
            "Set WEBHOOK_SECRET for senders that sign, WEBHOOK_TOKEN for those that send a token, and restart "
            "alertgate; or change the sender.",
        ),
        Cause.LIMIT_NEAR: CauseWords(
            "80 % was used",
            "Find out what raises so many alerts. If that is right, use an account that may send more, and raise "
            "its limit: SMTP_DAILY_LIMIT, or TWILIO_DAILY_LIMIT.",
        ),
        Cause.LIMIT_REACHED: CauseWords(
            "all of it was used",
            "What is critical must reach people in another way now. Find out what raises so many alerts; if the "
            "account may send more, raise SMTP_DAILY_LIMIT, or TWILIO_DAILY_LIMIT, and restart alertgate.",
        ),
        Cause.DISK_LOW: CauseWords(
            "little space is left",
            "Delete what nobody needs from the disk of DATA_DIR, such as old backups and an outbox that was read, or "
            "move DATA_DIR to a larger one.",
        ),
        Cause.DISK_FULL: CauseWords(
            "hardly any space is left",
            "Free space on the disk of DATA_DIR now. A lower RETENTION_DAYS doesn't make the database's file smaller, "
            "but it no longer grows.",
        ),
        Cause.AUDIT_OVERDUE: CauseWords(
            "notifications are due, and no process sends them",
            "Look at /health/ready and /status; if this persists, restart alertgate.",
        ),
        Cause.AUDIT_LEASES: CauseWords(
            "notifications are claimed, and no process sends them",
            "Look at /health/ready and the log; if this persists, restart alertgate.",
        ),
        Cause.AUDIT_NOBODY_TOLD: CauseWords(
            "nobody was or will be told of an open incident",
            "Look at that incident in the API or with `alertgate explain ID`, and tell people yourself. Fix why its "
            "notifications failed, and run `alertgate retry --all`.",
        ),
        Cause.AUDIT_UNWATCHED: CauseWords(
            "nobody watches the devices, so no silence is told",
            "If the policy file isn't used either, see to that. Else look for job.defect and job.failed of the device "
            "watch in the log, and restart alertgate. Until this is over, `alertgate devices` shows when each was "
            "heard.",
        ),
        Cause.AUDIT_UNREADABLE: CauseWords(
            "the database couldn't be read", "Look for audit.found and store.failed in the log: they have its error."
        ),
        Cause.RECIPIENT_REFUSED: CauseWords(
            "refused for good",
            "Tell these people yourself. Correct the address, or have the server accept it; then run `alertgate retry "
            "--all`. What needn't be sent any more: `alertgate dismiss ID`.",
        ),
        Cause.SERVICE_REFUSED: CauseWords(
            "their service took them, and then refused the account or its sender",
            "Tell these people yourself. `alertgate failures` says what to do about the account; then run `alertgate "
            "retry --all`. Or each is sent by itself once another message to its contact has arrived.",
        ),
        Cause.RECIPIENT_REMOVED: CauseWords(
            "the recipient is no longer in the settings",
            "Dismiss them with `alertgate dismiss ID`, or add the recipient again and run `alertgate retry --all`.",
        ),
        Cause.RECIPIENT_UNSET: CauseWords(
            "alertgate didn't know the CONTACT_… that holds the address",
            "Tell these people yourself. Set it in .env or /run/secrets and run `alertgate reload`, or, where "
            "alertgate gets .env as its environment, as with Compose, start it anew. Then run `alertgate retry --all`.",
        ),
        Cause.CHANNEL_AWAY: CauseWords(
            "their channel was away for longer than GIVE_UP_AFTER",
            "Tell these people yourself, and make the channel work again: /status has its last error. Then they are "
            "told by themselves, in one message each.",
        ),
        Cause.GAVE_UP: CauseWords(
            "given up after GIVE_UP_AFTER",
            "Find out why nothing was accepted: /status has each channel's last error. Then run `alertgate retry "
            "--all`. What needn't be sent any more: `alertgate dismiss ID`.",
        ),
    }
)
