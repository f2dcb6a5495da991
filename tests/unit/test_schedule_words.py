"""Cron expressions in words."""

from __future__ import annotations

import pytest

from mlwidgets.schedules.times import check_cron
from mlwidgets.schedules.words import moment, words


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 7 * * 1-5", "at 07:00 from Monday to Friday"),
        ("0 7 * * MON-FRI", "at 07:00 from Monday to Friday"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("@hourly", "every hour"),
        ("1 * * * *", "1 minute past every hour"),
        ("5 * * * *", "5 minutes past every hour"),
        ("0 */2 * * *", "every 2 hours"),
        ("23 1-23/2 * * *", "every 2 hours from 01:23"),
        ("*/10 9-17 * * 1-5", "every 10 minutes from 09:00 to 17:59 from Monday to Friday"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
        ("@daily", "at 00:00 every day"),
        ("0 7,12,18 * * 1,4", "at 07:00, 12:00 and 18:00 on Monday and Thursday"),
        ("0 7 1 * *", "at 07:00 on the 1st of each month"),
        ("0 7 L * *", "at 07:00 on the last day of each month"),
        ("0 7 LW * *", "at 07:00 on the last weekday of each month"),
        ("0 7 * * 5L", "at 07:00 on the last Friday of each month"),
        ("0 7 * * 1#2", "at 07:00 on the second Monday of each month"),
        ("0 7 2,22,23 * *", "at 07:00 on the 2nd, 22nd and 23rd of each month"),
        ("0 7 1 * 1", "at 07:00 on the 1st of each month and on Mondays"),
        ("0 7 1 3 1", "at 07:00 on the 1st of each month and on Mondays, in March"),
        ("0 7 1-7 * */7", "at 07:00 on the 1st to the 7th of each month where that is a Sunday"),
        ("0 7 1,15 */3 *", "at 07:00 on the 1st and 15th in January, April, July and October"),
        ("0 7 24 12 *", "at 07:00 on 24 December"),
        ("0 7 */2 * *", "at 07:00 on odd days of each month"),
        ("0 7 * * 0", "at 07:00 on Sundays"),
        ("0 7 * * 7", "at 07:00 on Sundays"),
        ("0 7 * * 6,0", "at 07:00 on Saturday and Sunday"),
        ("15,45 * * * *", "at 15 and 45 minutes past every hour"),
        ("0 7 * 6-8 *", "at 07:00 every day from June to August"),
        ("* 7 * * *", "every minute from 07:00 to 07:59"),
        ("@yearly", "at 00:00 on 1 January"),
    ],
)
def test_common_forms(cron: str, said: str) -> None:
    assert words(check_cron(cron)) == said
    assert words(check_cron(cron), "Europe/Berlin") == f"{said}, Europe/Berlin"


def test_anything_is_said_somehow() -> None:
    import itertools

    fields = (
        ("*", "0", "*/7", "1,5,59", "3-40/4"),
        ("*", "0", "*/5", "22,23,0,1,2", "8-18"),
        ("*", "L", "*/2", "1-14", "31,LW"),
        ("*", "2", "1,3,5", "6-8"),
        ("*", "1", "1-5", "*/2", "5L,1#1", "0,3"),
    )
    for parts in itertools.product(*fields):
        cron = " ".join(parts)
        said = words(cron)
        assert said.strip() == said
        assert "  " not in said, cron
        assert said, cron
    # Different expressions are said differently.
    assert len({words(" ".join(parts)) for parts in itertools.product(*fields)}) > 0.97 * 5 * 5 * 5 * 4 * 6


def test_moments() -> None:
    assert moment(1795413600.0, "Europe/Berlin") == "Mon 23 Nov 2026 07:00 CET"
    assert moment(1e300, "UTC") == f"{1e300:.0f}"
    assert moment(0.0, "Mars/Base") == "0"
