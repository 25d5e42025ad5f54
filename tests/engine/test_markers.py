"""Markers of requirements are judged as `packaging` judges them."""

import platform
import sys

import pytest
from packaging.markers import Marker

from whence.engine.markers import Markers, _Unusual

PLAIN = [
    'python_version < "3.11"',
    'python_version >= "3.10"',
    "python_version == '3.11'",
    'python_version <= "3.11.0"',
    'python_version > "3"',
    "python_full_version < '3.11.3'",
    "python_full_version != '3.12'",
    "sys_platform == 'win32'",
    'sys_platform != "cygwin" and extra == "dev"',
    "(sys_platform != 'win32') and extra == 'some_thing'",
    'platform_system == "Linux"',
    'platform_python_implementation != "PyPy" and implementation_name == "cpython"',
    "os_name == 'posix' or os_name == 'nt'",
    '(sys_platform == "linux" or sys_platform == "darwin") and extra == "dev"',
    "(sys_platform != 'win32' and (sys_platform != 'cygwin' and extra != 'dev')) or extra == 'x'",
    "sys_platform == 'win32' and extra == 'dev' or python_version > '3.1'",
    "platform_machine == 'x86_64'",
    'extra=="dev"and python_version<"4"',
]
UNUSUAL = [
    "python_version in '3.11 3.12'",
    "'linux' in sys_platform",
    "'3.10' < python_version",
    "platform_release >= '5'",
    "python_version ~= '3.8'",
    "python_version >= '3.8.*'",
    "python_version == '3.11rc1'",
    "platform_machine != '386'",
    "sys_platform == 'win32' or",
]


@pytest.mark.parametrize("extra", ["", "dev", "some-thing", "x"])
@pytest.mark.parametrize("marker", PLAIN)
def test_plain_markers_are_judged_alike_without_packaging(marker: str, extra: str) -> None:
    assert Markers()._read(marker, extra) == Marker(marker).evaluate({"extra": extra})


@pytest.mark.parametrize("marker", UNUSUAL)
def test_all_others_are_left_to_packaging(marker: str) -> None:
    with pytest.raises(_Unusual):
        Markers()._read(marker, "")


def test_packaging_judges_the_others() -> None:
    here = f"python_version in '{platform.python_version()[:4]} 2.7'"
    assert Markers().holds(here, "")
    assert not Markers().holds("'amiga' in sys_platform", "")
    assert Markers().holds("sys_platform == 'win32' or", "")  # cannot be read at all
    assert sys.platform != "amiga"
