"""README does what it says: its outputs are those of a real first alert, and its firmware is understood."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.first_alert import PAGES, filled, run_first_alert
from tools.settings_table import README

from alertgate.accept.intake import IntakeContext
from alertgate.accept.particle import understand
from alertgate.model import Severity, Signal
from alertgate.notify.render.reading import reading
from alertgate.rules import SeverityRules
from tests.fakes import START

BOARD = r"""
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
// What the snippet uses of Particle's Device OS.
struct String {
  std::string text;
  String(const char *said = "") : text(said) {}
  const char *c_str() const { return text.c_str(); }
  operator const char *() const { return c_str(); }
  static String format(const char *form, ...) {
    char made[256];
    va_list values;
    va_start(values, form);
    vsnprintf(made, sizeof made, form, values);
    va_end(values);
    return String(made);
  }
};
const int D2 = 2, D3 = 3, LOW = 0, HIGH = 1;
enum PinMode { INPUT, OUTPUT, INPUT_PULLUP, INPUT_PULLDOWN };
int pins[4];
bool has_pull_up[4];  // without it, a pin whose switch is open reads anything
void pinMode(int pin, PinMode mode) { has_pull_up[pin] = mode == INPUT_PULLUP; }
float celsius_now;
bool online;
int digitalRead(int pin) {
  if (!has_pull_up[pin]) std::abort();
  return pins[pin];
}
float readCelsius() { return celsius_now; }
void delay(int) {}
struct {
  bool publish(const char *event, String data) {
    if (online) printf("%s\t%s\n", event, data.c_str());
    return online;
  }
} Particle;
"""
MAIN = r"""
void step(bool up, int door, int leak, float celsius) {
  online = up, pins[D2] = door, pins[D3] = leak, celsius_now = celsius;
  loop();
  printf("-\n");
}
int main() {
  setup();
  step(true, LOW, HIGH, -18);      // a start: all is well
  step(true, LOW, HIGH, -18);      // nothing changes
  step(false, HIGH, LOW, -4.2);    // all goes wrong, without a connection
  step(true, HIGH, LOW, -4.2);     // it is back
  step(true, HIGH, LOW, -15.5);    // colder than the limit, but only just
  for (float broken : {-127.f, 85.f, NAN, INFINITY, -INFINITY, -55.5f * 2}) step(true, HIGH, LOW, broken);
  step(true, LOW, HIGH, -16.5);    // all is over
  for (float broken : {-127.f, 85.f, NAN, INFINITY, -INFINITY}) {
    step(true, LOW, HIGH, broken);  // the thermometer fails
    step(true, LOW, HIGH, -18);     // it is back
  }
}
"""


def test_the_pages_show_what_a_first_alert_prints():
    """What README and docs/first-alert.md show is what a service does now that runs in an empty directory."""
    shown = run_first_alert()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert filled(text, shown) == text, "run: python -m tools.first_alert"


def _snippet() -> str:
    [code] = re.findall(r"```cpp\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return code


def test_the_firmware_is_short():
    """Besides closing brackets: whoever copies it can read it."""
    assert len([line for line in _snippet().splitlines() if line.strip() != "}"]) <= 16


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler is installed")
def test_the_firmware_says_when_things_are_over(tmp_path: Path):
    """Compiled for a board that is a stand-in, it publishes changes alone, which the Particle webhook understands."""
    (tmp_path / "photon.cpp").write_text(BOARD + _snippet() + MAIN, encoding="utf-8")
    subprocess.run(["c++", "-Wall", "-Werror", "-o", "photon", "photon.cpp"], cwd=tmp_path, check=True, timeout=300)
    printed = subprocess.run([tmp_path / "photon"], check=True, capture_output=True, text=True, timeout=300).stdout
    steps = [[tuple(line.split("\t")) for line in step.splitlines()] for step in printed.split("-\n")[:-1]]
    understood = [[_understood(event, data) for event, data in step] for step in steps]
    names = ("alarm/door", "alarm/leak", "alarm/freezer")
    fine = [(name, Signal.RESOLVED) for name in names]
    wrong = [(name, Signal.FIRING) for name in names]
    thermometer_fails = [wrong[-1:], fine[-1:]] * 5
    assert understood == [fine, [], [], wrong, [], *[[]] * 6, fine, *thermometer_fails]


def _understood(event: str, data: str) -> tuple[str, Signal]:
    """Return what the webhook makes of a publish, as Particle's form delivers it."""
    json.loads(data, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    body = json.dumps({"event": event, "data": data, "coreid": "3f002b000000000000000000"}).encode()
    alert = understand(body, "application/json", IntakeContext("id", START, SeverityRules((), Severity.WARNING))).alert
    if "celsius" in data:
        shown = reading(alert, event)
        assert shown is not None
        assert shown.value.endswith(" °C")
    return alert.event, alert.signal
