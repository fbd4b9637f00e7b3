"""Which COS regions lie in mainland China and which overseas (Hong Kong, China and abroad).

Source: COS, "Regions and Access Endpoints" (436/6224), and the finance regions. Regions open and close, so a
document (`territories:`) or the settings may add to the tables; a region in neither is in no territory, and
a rule on territories refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from cos.values import Region

MAINLAND_REGIONS = frozenset(
    {
        Region("ap-beijing-1"),
        Region("ap-beijing"),
        Region("ap-nanjing"),
        Region("ap-shanghai"),
        Region("ap-guangzhou"),
        Region("ap-chengdu"),
        Region("ap-chongqing"),
        Region("ap-beijing-fsi"),
        Region("ap-shanghai-fsi"),
        Region("ap-shenzhen-fsi"),
    }
)

OVERSEAS_REGIONS = frozenset(
    {
        Region("ap-hongkong"),
        Region("ap-singapore"),
        Region("ap-mumbai"),
        Region("ap-jakarta"),
        Region("ap-seoul"),
        Region("ap-bangkok"),
        Region("ap-tokyo"),
        Region("na-siliconvalley"),
        Region("na-ashburn"),
        Region("na-toronto"),
        Region("sa-saopaulo"),
        Region("eu-frankfurt"),
    }
)


class Territory(StrEnum):
    """A side of the border that data crosses when it is copied."""

    MAINLAND = "mainland"
    OVERSEAS = "overseas"


@dataclass(frozen=True, slots=True)
class Territories:
    """The two tables. A region in both is a mistake and refused."""

    mainland: frozenset[Region] = MAINLAND_REGIONS
    overseas: frozenset[Region] = OVERSEAS_REGIONS

    def __post_init__(self) -> None:
        both = self.mainland & self.overseas
        if both:
            raise ValueError(f"expected each region in one territory, got {', '.join(sorted(both))} in both")

    def of(self, region: Region | None) -> Territory | None:
        """The territory of a region; None when the tables do not know it."""
        if region in self.mainland:
            return Territory.MAINLAND
        if region in self.overseas:
            return Territory.OVERSEAS
        return None

    def extended(self, *, mainland: Iterable[Region] = (), overseas: Iterable[Region] = ()) -> Self:
        """With further regions. Raises ValueError when a region would be in both."""
        return type(self)(self.mainland | frozenset(mainland), self.overseas | frozenset(overseas))
