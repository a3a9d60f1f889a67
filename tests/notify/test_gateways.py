"""The carriers' email-to-SMS gateways."""

from datetime import date

import pytest

from alertgate.notify.gateways import GATEWAYS, GatewayWarning, gateway_warning, is_gateway

TODAY = date(2026, 11, 23)
USELESS = "no text will arrive; use a paid email-to-SMS gateway or another address"


@pytest.mark.parametrize("domain", sorted(GATEWAYS))
def test_known_gateways_are_recognised(domain):
    """An address at a carrier's gateway is recognised in any case."""
    assert (is_gateway(f"5551234567@{domain}"), is_gateway(f"5551234567@{domain.upper()}")) == (True, True)


@pytest.mark.parametrize(
    "address", ["me@example.com", "vtext.com", "", "5@vtext.com.example.org", "5@notvtext.com", "vtext.com@example.org"]
)
def test_other_addresses_are_not_gateways(address):
    """Only the whole domain counts."""
    assert is_gateway(address) is (address == "vtext.com")


@pytest.mark.parametrize(
    ("domain", "warning"),
    [
        (
            "tmomail.net",
            GatewayWarning(
                dead=True, text=f"T-Mobile's gateway tmomail.net: shut down in December 2024, silently; {USELESS}"
            ),
        ),
        (
            "txt.att.net",
            GatewayWarning(dead=True, text=f"AT&T's gateway txt.att.net: shut down on 17 June 2025; {USELESS}"),
        ),
        (
            "mms.att.net",
            GatewayWarning(dead=True, text=f"AT&T's gateway mms.att.net: shut down on 17 June 2025; {USELESS}"),
        ),
        (
            "messaging.sprintpcs.com",
            GatewayWarning(dead=True, text=f"Sprint's gateway messaging.sprintpcs.com: retired; {USELESS}"),
        ),
        ("pm.sprint.com", GatewayWarning(dead=True, text=f"Sprint's gateway pm.sprint.com: retired; {USELESS}")),
        (
            "vtext.com",
            GatewayWarning(
                dead=False,
                text="Verizon's gateway vtext.com: unreliable; ends on 31 March 2027; plan a replacement",
            ),
        ),
        (
            "vzwpix.com",
            GatewayWarning(
                dead=False,
                text="Verizon's gateway vzwpix.com: unreliable; ends on 31 March 2027; plan a replacement",
            ),
        ),
        (
            "email.uscc.net",
            GatewayWarning(
                dead=False, text="US Cellular's gateway email.uscc.net: unverified or dead; plan a replacement"
            ),
        ),
    ],
)
def test_a_warning_names_the_gateway_and_its_status(domain, warning):
    """It has the carrier, the domain, what is known with its date, and what to do."""
    assert gateway_warning(f"5551234567@{domain}", TODAY) == warning


@pytest.mark.parametrize(
    "domain",
    [
        "email.uscc.net",
        "sms.cricketwireless.net",
        "mms.cricketwireless.net",
        "sms.mycricket.com",
        "myboostmobile.com",
        "vmobl.com",
        "mymetropcs.com",
        "message.alltel.com",
        "text.republicwireless.com",
    ],
)
def test_unverified_gateways_are_doubtful_but_not_dead(domain):
    """A gateway whose status isn't known gets a warning, and is still used."""
    warning = gateway_warning(f"5551234567@{domain}", TODAY)
    assert warning is not None
    assert (warning.dead, "unverified or dead" in warning.text) == (False, True)


@pytest.mark.parametrize(
    ("today", "dead"), [(date(2027, 3, 30), False), (date(2027, 3, 31), False), (date(2027, 4, 1), True)]
)
def test_verizons_gateway_dies_after_its_last_day(today, dead):
    """A gateway with an end is usable on its last day, and dead on the next."""
    warning = gateway_warning("5551234567@vtext.com", today)
    assert warning is not None
    assert (warning.dead, warning.text.endswith(USELESS)) == (dead, dead)


@pytest.mark.parametrize("address", ["me@example.com", "5551234567@msg.fi.google.com", ""])
def test_other_addresses_have_no_warning(address):
    """Mail addresses, and the one gateway that works, are fine."""
    assert gateway_warning(address, TODAY) is None
