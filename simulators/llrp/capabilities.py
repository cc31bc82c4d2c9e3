"""What a simulated reader says it can do: by default, what an Impinj Speedway R420 for the FCC region says."""

import random
from dataclasses import dataclass

from simulators.llrp.names import CapabilitiesRequest
from simulators.llrp.names import ParameterType as P
from simulators.llrp.packer import Element, element

IMPINJ_PEN = 25882  # IANA private enterprise number
R420_MODEL = 2001002
_FCC_CHANNELS_KHZ = range(902_750, 927_251, 500)


@dataclass(frozen=True, slots=True)
class RfMode:
    """One row of the Gen2 UHF RF mode table (LLRP section 15.2.1.1.2.1), Tari in nanoseconds."""

    id: int
    dr: int
    m: int
    forward: int
    mask: int
    bdr_bps: int
    pie: int
    tari_ns: int


R420_MODES = (
    RfMode(0, dr=1, m=0, forward=2, mask=2, bdr_bps=640_000, pie=1500, tari_ns=6250),
    RfMode(1, dr=1, m=1, forward=2, mask=2, bdr_bps=640_000, pie=1500, tari_ns=6250),
    RfMode(2, dr=1, m=2, forward=0, mask=3, bdr_bps=274_000, pie=2000, tari_ns=20_000),
    RfMode(3, dr=1, m=3, forward=0, mask=3, bdr_bps=170_600, pie=2000, tari_ns=20_000),
    RfMode(4, dr=1, m=2, forward=0, mask=2, bdr_bps=640_000, pie=1500, tari_ns=7140),
    # From 1000 on the reader picks a mode by itself; the rows are placeholders.
    *(
        RfMode(n, dr=0, m=0, forward=0, mask=0, bdr_bps=40_000, pie=1500, tari_ns=6250)
        for n in range(1000, 1006)
        if n != 1001
    ),
)


def fcc_hop_table(seed: int = 1) -> tuple[int, ...]:
    """The 50 FCC channels in kHz, in a pseudo-random order as hopping demands."""
    return tuple(random.Random(seed).sample(_FCC_CHANNELS_KHZ, k=len(_FCC_CHANNELS_KHZ)))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The figures behind GET_READER_CAPABILITIES_RESPONSE; power in dBm, frequencies in kHz."""

    manufacturer: int = IMPINJ_PEN
    model: int = R420_MODEL
    firmware: str = "5.14.0.240"
    antennas: int = 4
    has_utc_clock: bool = True
    min_power_dbm: float = 10.0
    max_power_dbm: float = 32.5
    power_step_dbm: float = 0.25
    hop_frequencies_khz: tuple[int, ...] = fcc_hop_table()
    fixed_frequencies_khz: tuple[int, ...] = ()
    country: int = 840
    standard: int = 1
    modes: tuple[RfMode, ...] = R420_MODES
    max_rospecs: int = 1
    max_specs_per_rospec: int = 32
    max_inventory_specs: int = 1
    max_accessspecs: int = 1508
    max_opspecs: int = 8
    max_select_filters: int = 2
    can_hold_reports: bool = True
    # A hopping reader refuses any ChannelIndex but 0, which is what it shows itself.
    strict_channel: bool = False

    @property
    def power_levels_cdbm(self) -> tuple[int, ...]:
        """The transmit power table in hundredths of a dBm; its indices count from 1."""
        count = round((self.max_power_dbm - self.min_power_dbm) / self.power_step_dbm) + 1
        return tuple(round((self.min_power_dbm + i * self.power_step_dbm) * 100) for i in range(count))

    def parameters(self, request: CapabilitiesRequest = CapabilitiesRequest.ALL) -> tuple[Element, ...]:
        """The parameters that answer a request (section 9.1.2)."""
        parts = (
            (CapabilitiesRequest.GENERAL, self._general),
            (CapabilitiesRequest.LLRP, self._llrp),
            (CapabilitiesRequest.REGULATORY, self._regulatory),
            (CapabilitiesRequest.AIR_PROTOCOL, self._c1g2),
        )
        return tuple(build() for kind, build in parts if request in {CapabilitiesRequest.ALL, kind})

    def _general(self) -> Element:
        # Index 1 is full sensitivity; the others are 10 to 50 dB less.
        sensitivities = (0, *range(10, 51))
        return element(
            P.GeneralDeviceCapabilities,
            *(
                element(P.ReceiveSensitivityTableEntry, Index=i, ReceiveSensitivityValue=value)
                for i, value in enumerate(sensitivities, 1)
            ),
            element(P.GPIOCapabilities, NumGPIs=4, NumGPOs=4),
            *(
                element(P.PerAntennaAirProtocol, AntennaID=antenna, ProtocolID=b"\x01")
                for antenna in range(1, self.antennas + 1)
            ),
            MaxNumberOfAntennaSupported=self.antennas,
            CanSetAntennaProperties=0,
            HasUTCClockCapability=int(self.has_utc_clock),
            DeviceManufacturerName=self.manufacturer,
            ModelName=self.model,
            ReaderFirmwareVersion=self.firmware,
        )

    def _llrp(self) -> Element:
        return element(
            P.LLRPCapabilities,
            CanDoRFSurvey=0,
            CanReportBufferFillWarning=1,
            SupportsClientRequestOpSpec=0,
            CanDoTagInventoryStateAwareSingulation=0,
            SupportsEventAndReportHolding=int(self.can_hold_reports),
            MaxNumPriorityLevelsSupported=1,
            ClientRequestOpSpecTimeout=0,
            MaxNumROSpecs=self.max_rospecs,
            MaxNumSpecsPerROSpec=self.max_specs_per_rospec,
            MaxNumInventoryParameterSpecsPerAISpec=self.max_inventory_specs,
            MaxNumAccessSpecs=self.max_accessspecs,
            MaxNumOpSpecsPerAccessSpec=self.max_opspecs,
        )

    def _regulatory(self) -> Element:
        return element(
            P.RegulatoryCapabilities,
            element(
                P.UHFBandCapabilities,
                *(
                    element(P.TransmitPowerLevelTableEntry, Index=i, TransmitPowerValue=level)
                    for i, level in enumerate(self.power_levels_cdbm, 1)
                ),
                self._frequencies(),
                element(P.C1G2UHFRFModeTable, *(_mode(mode) for mode in self.modes)),
            ),
            CountryCode=self.country,
            CommunicationsStandard=self.standard,
        )

    def _frequencies(self) -> Element:
        if self.fixed_frequencies_khz:
            table = element(P.FixedFrequencyTable, Frequency=self.fixed_frequencies_khz)
            return element(P.FrequencyInformation, table, Hopping=0)
        table = element(P.FrequencyHopTable, HopTableID=1, Frequency=self.hop_frequencies_khz)
        return element(P.FrequencyInformation, table, Hopping=1)

    def _c1g2(self) -> Element:
        return element(
            P.C1G2LLRPCapabilities,
            CanSupportBlockErase=0,
            CanSupportBlockWrite=1,
            MaxNumSelectFiltersPerQuery=self.max_select_filters,
        )


def _mode(mode: RfMode) -> Element:
    return element(
        P.C1G2UHFRFModeTableEntry,
        ModeIdentifier=mode.id,
        DRValue=mode.dr,
        EPCHAGTCConformance=0,
        MValue=mode.m,
        ForwardLinkModulation=mode.forward,
        SpectralMaskIndicator=mode.mask,
        BDRValue=mode.bdr_bps,
        PIEValue=mode.pie,
        MinTariValue=mode.tari_ns,
        MaxTariValue=mode.tari_ns,
        StepTariValue=0,
    )
