"""What the words of a mail server's refusal say it is about. Pure.

Servers word their refusals freely, so these are the phrases of the common ones; `tests/notify/real_replies.toml` has
real ones with their sources. The first rule that matches decides: what is about us mostly comes first.
"""

import re

from alertgate.notify.channels.base import Reason

_ADDRESS = re.compile(r"\S*@\S*")
_NOT = r"not (?:allowed|permitted|verified|accepted|authori[sz]ed)"
_SENDER_REFUSED = (
    r"(?:\bsender(?:'s)?|from header|from address|header from|envelope-from|return-path|from:|mail from(?=:| <>| a| d))"
    r"(?: header| e-?mail| address| domain| id)*\W+(?:\S+ ){0,3}?"
    rf"(?:rejected|denied|refused|blocked|invalid|unknown|{_NOT})"
)
_IP_REFUSED = (
    r"(?:\bips?\b|network|your (?:mail )?server|your host)\b.{0,60}"
    rf"(?:blocked|banned|refused|listed|not (?:in|on) (?:the |your )?(?:white|allow)[ -]?list|{_NOT})"
)
_UNKNOWN = (
    r"(?:user|recipient|mailbox|alias|local part|account|(?<!ip )address)\b.{0,50}?\b"
    r"(?:unknown|not found|no longer|(?:does not|doesn't|did not|not) (?:exist|have)|not (?:known|a? ?valid|local))"
)
_DISABLED = (
    r"(?:recipient|mailbox|(?<!ip )address|account that you tried to reach)\b.{0,20}?\b"
    r"(?:inactive|disabled|unavailable|invalid)"
)
_NO_SUCH = (
    r"(?:unknown|no such|invalid|illegal|non-?existent|bad|undeliverable|unrout(?:e?)able|inactive) (?:or illegal )?"
    r"(?:user|recipient|mailbox|(?:e-?mail )?address|account|local.?part|alias|person|destination)"
)

_RULES: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        Reason.TLS,
        (
            "starttls",
            "tls (?:is )?required|must use tls|use tls/ssl",
            "requires? encryption|encryption (?:is )?required",
        ),
    ),
    (
        Reason.DAILY_LIMIT,
        (
            "daily .{0,30}(?:limit|quota)",
            "submissionquota",
            "(?:submission|sending|hourly|relay) (?:limit|quota)s? (?:was |is |has been )?(?:exceeded|reached)",
            "(?:exceeded|reached|over) .{0,20}(?:submission|sending) (?:limit|quota)",
            "your sending (?:quota|limit)|mail send limit",
            "credits exceeded",
            "max(?:imum)? e?-?mails per (?:hour|day)",
            "sent too many",
            "too many e?-?mails",
            "too many (?:messages|recipients) (?:this|per) hour",
            "overlimit",
        ),
    ),
    (
        Reason.REFUSED,  # Exchange's mailboxes and groups that take mail from some senders alone
        (
            r"resolver\.rst",
            "allowed-senders list",
            "not authenticated (?:by organi|for (?:mailbox|group|public))",
            "requires sender authentication",
            "only accepts? (?:messages|mail) from",
            "members-only",
            "banned recipient",
        ),
    ),
    (
        Reason.HOST_REFUSED,  # our names
        (
            r"\bhelo\b|\behlo\b",
            "client host|blocked using",
            "reverse (?:dns|host ?name|lookup)",
            r"\brdns\b|\bptr\b",
            "find your (?:reverse )?host ?name",
            "relay host name",
            "not authori[sz]ed to send e?-?mail directly",
            "mismatches client",
            "bad recipients from your host",
        ),
    ),
    (
        Reason.SENDER_REFUSED,
        (
            _SENDER_REFUSED,
            "(?:banned|unroutable|unverified|unauthori[sz]ed|invalid|unknown|bad)(?: outbound| envelope)? sender",
            "sender (?:verif|identity|signature|domain)",
            "domain of (?:the )?sender",
            "unresolvable .{0,20}from domain",
            "send ?as ?denied",
            "send as this sender",
            "not owned by",
            "not logged in",
            "not (?:allowed|permitted|authori[sz]ed) to (?:send|perform)",
            "address is not verified",
            "verify your (?:domain|sender)",
            r"your (?:domain|account)\b",
            "outgoing mail suspension",
            "account (?:is |has been |was )?suspended|sending (?:is |has been |was )?(?:paused|disabled|suspended)",
            "outboundspamexception|wascl",  # Exchange Online has suspended the account
            "invalid dns",
            "test purposes only",
            r"\bspf\b|\bdkim\b|\bdmarc\b|sender policy framework",
            "unauthenticated",
            "authentication checks",
        ),
    ),
    (
        Reason.RELAY_REFUSED,
        (
            r"\brelay(?:ing)?\b.{0,20}(?:denied|prohibited|refused|disallowed|rejected|not (?:permitted|allowed))",
            "(?:unable|unwilling|allowed|permitted|permission|cannot|not|authori[sz]ed) to relay",
            "n[o']t (?:an? )?(?:open )?relay",
            "as a relay",
            "relay mail",
            "credentials for relay",
            "rcpthosts",
            "without authentication",
        ),
    ),
    (
        Reason.CREDENTIALS,
        (
            "authentication (?:is )?required|requires? authentication",
            "(?:must|please|need to) (?:first )?(?:be )?authenticated?",
            "(?:client was|user) not authenticated",
            "log ?in first",
            r"smtp auth\b|\bauth (?:command )?first",
        ),
    ),
    (
        Reason.RECIPIENT_BUSY,
        (
            "gr[ea]y-?list",
            "receiving (?:mail|messages) (?:too|at a rate)",
            "excessive volume",
            "recipient thread limit",
            r"recipient rate[ -]?limit|rate[ -]?limit \W?(?:to|rcpt)\b",  # rspamd names the bucket
            "receive limit",
            "separate transaction",
            "too many recipients",
            "verification in progress",
            "unverified address",
        ),
    ),
    (
        Reason.TRY_LATER,
        (
            "temporarily (?:deferred|rate limited|blocked|restricted)",
            "rate[ -]?limit",
            "too many (?:bad|invalid|unknown|nonexistent|incorrect) (?:recipients|users|rcpts|addresses)",
            "server busy",
            "service (?:is )?(?:not available|unavailable)",
            "too (?:many (?:concurrent|connections|sessions)|frequent)",
            "maximum sending rate",
            "system problem",
            "max message per connection",
        ),
    ),
    (
        Reason.HOST_REFUSED,  # our address
        (
            r"(?:black|block|deny)[ -]?list|dnsbl|\brbl\b",
            r"spamhaus|spamcop|barracudacentral|proofpoint\.com|\bsorbs\b",
            "reputation",
            _IP_REFUSED,
            "banned sending ip",
            r"unauthori[sz]ed (?:source |client |remote )?ip\b",
            r"\bip(?: address)? (?:is |was )?unauthori[sz]ed",
            "not accepted from",
            "dynamic ip",
            "connections? .{0,20}not (?:be )?accept",
            "originating from your",
            "messages from .{0,40}(?:deferred|weren't sent)",
        ),
    ),
    (
        Reason.MAILBOX_FULL,
        ("quota", "mailbox (?:is )?full", "(?:out of|not enough) (?:space|storage)", "storage (?:limit|allocation)"),
    ),
    (
        Reason.TOO_LARGE,
        ("too (?:big|large)", "size limit", "(?:message|mail|e-?mail) size", "size exceed", "too much (?:mail )?data"),
    ),
    (
        Reason.NO_SUCH_RECIPIENT,
        (
            _UNKNOWN,
            _DISABLED,
            _NO_SUCH,
            "mailbox name not allowed",
            "(?:host or )?domain (?:name )?not found",
            "null mx",
            "does not accept mail",
            "no mailbox",
            r"5\.1\.0 address rejected",
            r"5\.4\.1 .{0,40}recipient address rejected: access denied",  # Exchange Online's edge
        ),
    ),
    (
        Reason.POLICY,
        (
            "spam|virus|malware|phish|unsolicited|infected",
            "content|attachment|banned:",
            "malformed",
            "bulk mail",
            "bare (?:line feed|lf)",
            r"not rfc ?[25]\d22 compliant",
            "headers are not",
            "pattern detection",
            "uribl",
        ),
    ),
)
_COMPILED = tuple((reason, re.compile("|".join(phrases))) for reason, phrases in _RULES)


def reason_in(text: str) -> Reason | None:
    """Return what the words of a refusal are about, or None if they don't say it."""
    words = _ADDRESS.sub("<>", " ".join(text.lower().split()))
    return next((reason for reason, pattern in _COMPILED if pattern.search(words)), None)
