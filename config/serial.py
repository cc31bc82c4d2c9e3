"""The `[[readers]]` tables of devices on serial lines: scales, Modbus devices and serial RFID readers.

A driver's own dataclass judges how its keys fit each other; a table that it refuses is refused with its words.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from config.base import AntennaPort, Identifier, Section
from config.bins import ChannelBase, ChannelSection, bins_of
from config.fields import given, keys_of, names_of
from gateway.domain.params import Bin, Sensor
from readers.chafon.settings import ChafonSettings
from readers.m100.settings import M100Settings
from readers.modbus.settings import ModbusChannel, ModbusSettings, Profile, line_of
from readers.port.settings import PortSettings
from readers.scales.settings import LineProfile, ScaleSettings


def _port_url(url: str) -> str:
    PortSettings.of(url)
    return url


def _modbus_url(url: str) -> str:
    line_of(url)
    return url


PortUrl = Annotated[
    str,
    AfterValidator(_port_url),
    Field(description="serial:///dev/serial/by-id/...?baudrate=9600, or socket://host:port for a device server."),
]
ReaderId = Annotated[Identifier, Field(description="The reader's name in topics.")]
Antennas = Annotated[
    dict[AntennaPort, Identifier], Field(min_length=1, description='Antenna port -> zone: { 1 = "floor" }.')
]


class ProfileBase(Section):
    """`[readers.profile]`: the lines of a scale that no dialect describes."""

    def profile(self) -> LineProfile:
        """The layout. Raises ValueError where it cannot be."""
        return LineProfile(**given(self, PROFILE_KEYS))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.profile()
        return self


class ScaleBase(Section):
    """A `[[readers]]` table of a scale, without the settings of its driver."""

    id: ReaderId
    driver: Annotated[Literal["scale"], Field(description="The kind of device.")]
    url: PortUrl

    if TYPE_CHECKING:
        channels: tuple[ChannelBase, ...]
        profile: ProfileBase | None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.settings()
        self.bins()
        return self

    def settings(self) -> ScaleSettings:
        """Its driver's settings. Raises ValueError where they do not fit each other."""
        return ScaleSettings(
            port=PortSettings.of(self.url),
            channels=tuple(each.channel for each in self.channels),
            profile=None if self.profile is None else self.profile.profile(),
            **given(self, SCALE_KEYS),
        )

    @property
    def zones(self) -> dict[int, str]:
        """Channel -> zone, of those that count there."""
        return {each.channel: each.zone for each in self.channels if not each.is_gauge}

    def bins(self) -> tuple[Bin, ...]:
        """What is counted on its channels. Raises ValueError where it cannot be."""
        return bins_of(self.id, self.channels)


class ModbusBase(Section):
    """A `[[readers]]` table of the devices on a Modbus line, without the settings of its driver."""

    id: ReaderId
    driver: Annotated[Literal["modbus"], Field(description="The kind of device.")]
    url: Annotated[
        str,
        AfterValidator(_modbus_url),
        Field(description="serial:///dev/... or socket://host:port (RTU), or modbus://host:502 (TCP)."),
    ]

    if TYPE_CHECKING:
        channels: tuple[ChannelBase, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._sense()
        self.settings()
        self.bins()
        return self

    def _sense(self) -> None:
        """Raises ValueError where a door or a temperature is none by its profile."""
        for each in self.channels:
            profile = given(each, MODBUS_CHANNEL_KEYS)["profile"]
            if (profile is Profile.TEMPERATURE) != (each.sensor is Sensor.TEMPERATURE):
                raise ValueError(f'channel {each.channel}: expected sensor = "temperature" beside profile temperature')
            if each.sensor is Sensor.DOOR and profile is not Profile.INPUTS:
                raise ValueError(f"channel {each.channel}: expected profile inputs beside sensor door")

    def settings(self) -> ModbusSettings:
        """Its driver's settings. Raises ValueError where they do not fit each other."""
        if not self.channels:
            raise ValueError("expected at least one [[readers.channels]] table")
        devices = tuple(
            ModbusChannel(channel=each.channel, **given(each, MODBUS_CHANNEL_KEYS)) for each in self.channels
        )
        port, is_tcp = line_of(self.url)
        return ModbusSettings(port=port, is_tcp=is_tcp, devices=devices, **given(self, MODBUS_KEYS))

    @property
    def zones(self) -> dict[int, str]:
        """Channel -> zone, of those that count there."""
        return {each.channel: each.zone for each in self.channels if not each.is_gauge}

    def bins(self) -> tuple[Bin, ...]:
        """What is counted on its channels. Raises ValueError where it cannot be."""
        return bins_of(self.id, self.channels)


class AntennasBase(Section):
    """A `[[readers]]` table of a serial RFID reader."""

    id: ReaderId
    url: PortUrl
    antennas: Antennas

    @property
    def zones(self) -> dict[int, str]:
        """Antenna port -> zone."""
        return {int(port): zone for port, zone in self.antennas.items()}

    def bins(self) -> tuple[Bin, ...]:
        """It reads tags and weighs nothing."""
        return ()


class M100Base(AntennasBase):
    """A `[[readers]]` table of an M100 or R200 module, without the settings of its driver."""

    driver: Annotated[Literal["m100"], Field(description="The kind of device.")]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.settings()
        return self

    def settings(self) -> M100Settings:
        """Its driver's settings. Raises ValueError where they do not fit each other."""
        return M100Settings(
            port=PortSettings.of(self.url), antennas=tuple(sorted(self.zones)), **given(self, M100_KEYS)
        )


class ChafonBase(AntennasBase):
    """A `[[readers]]` table of a Chafon reader, without the settings of its driver."""

    driver: Annotated[Literal["chafon"], Field(description="The kind of device.")]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.settings()
        return self

    def settings(self) -> ChafonSettings:
        """Its driver's settings. Raises ValueError where they do not fit each other."""
        return ChafonSettings(
            port=PortSettings.of(self.url), antennas=tuple(sorted(self.zones)), **given(self, CHAFON_KEYS)
        )


PROFILE_KEYS = names_of(LineProfile)
SCALE_OWN = frozenset({"port", "channels", "profile"})
SCALE_KEYS = names_of(ScaleSettings, without=SCALE_OWN)
MODBUS_CHANNEL_OWN = frozenset({"channel"})
MODBUS_CHANNEL_KEYS = names_of(ModbusChannel, without=MODBUS_CHANNEL_OWN)
MODBUS_OWN = frozenset({"port", "is_tcp", "devices"})
MODBUS_KEYS = names_of(ModbusSettings, without=MODBUS_OWN)
RFID_OWN = frozenset({"port", "antennas"})
M100_KEYS = names_of(M100Settings, without=RFID_OWN)
CHAFON_KEYS = names_of(ChafonSettings, without=RFID_OWN)


def _channels(section: Any) -> tuple[Any, Any]:
    return (tuple[section, ...], Field(strict=False, description="[[readers.channels]]: its values and their zones."))


# Their keys come from dataclasses at run time, where a type checker cannot follow; `fields.given` reads them.
if TYPE_CHECKING:
    ScaleSection = ScaleBase
    ModbusSection = ModbusBase
    M100Section = M100Base
    ChafonSection = ChafonBase
else:
    ProfileSection = create_model("ProfileSection", __base__=ProfileBase, __module__=__name__, **keys_of(LineProfile))
    ScaleSection = create_model(
        "ScaleSection",
        __base__=ScaleBase,
        __module__=__name__,
        channels=_channels(ChannelSection),
        profile=(
            ProfileSection | None,
            Field(default=None, description='[readers.profile]: the layout of dialect = "profile".'),
        ),
        **keys_of(ScaleSettings, without=SCALE_OWN),
    )
    ModbusChannelSection = create_model(
        "ModbusChannelSection",
        __base__=ChannelSection,
        __module__=__name__,
        **keys_of(ModbusChannel, without=MODBUS_CHANNEL_OWN),
    )
    ModbusSection = create_model(
        "ModbusSection",
        __base__=ModbusBase,
        __module__=__name__,
        channels=_channels(ModbusChannelSection),
        **keys_of(ModbusSettings, without=MODBUS_OWN),
    )
    M100Section = create_model(
        "M100Section", __base__=M100Base, __module__=__name__, **keys_of(M100Settings, without=RFID_OWN)
    )
    ChafonSection = create_model(
        "ChafonSection", __base__=ChafonBase, __module__=__name__, **keys_of(ChafonSettings, without=RFID_OWN)
    )
