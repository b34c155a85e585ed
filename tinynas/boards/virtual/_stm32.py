"""Clock, flash and pin registers of the STM32 families that have a HAL, as far as the HALs use them."""

from __future__ import annotations

from ._peripherals import Peripheral, RegisterBank, SerialLine, Usart


class Stm32f3Clock(RegisterBank):
    """RCC of STM32F303x6/x8 (RM0316, 9.4). Oscillators are ready at once; HSE only where a clock is connected."""

    _CR, _CFGR, _CFGR2 = 0x00, 0x04, 0x2C
    _HSI_HZ = 8_000_000

    def __init__(self, hse_hz: int | None) -> None:
        super().__init__("RCC", 0x40021000, 0x400, dict.fromkeys(range(0, 0x34, 4), 0))
        self.values[self._CR] = 0x83  # HSION, HSIRDY, HSITRIM = 16
        self._hse_hz = hse_hz

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset == self._CR:
            ready = 0x2 if value & 0x1 else 0
            ready |= 0x20000 if value & 0x10000 and self._hse_hz is not None else 0
            ready |= 0x2000000 if value & 0x1000000 else 0
            return value & ~0x2020002 | ready
        if offset == self._CFGR:
            return value & ~0xC | (value & 0x3) << 2  # SWS follows SW
        return value

    def clock_hz(self) -> int:
        """Return the frequency of SYSCLK that the registers select."""
        config = self.values[self._CFGR]
        source = config & 0x3
        if source == 0:
            return self._HSI_HZ
        if source == 1:
            return self._hse_hz or 0
        multiplier = min((config >> 18 & 0xF) + 2, 16)
        if config & 0x10000:
            return (self._hse_hz or 0) // ((self.values[self._CFGR2] & 0xF) + 1) * multiplier
        return self._HSI_HZ // 2 * multiplier

    def usart_clock_hz(self) -> int:
        """Return the frequency of PCLK1."""
        prescaler = self.values[self._CFGR] >> 8 & 0x7
        return self.clock_hz() >> max(prescaler - 3, 0)


class Stm32f7Clock(RegisterBank):
    """RCC of STM32F74x (RM0385, 5.3)."""

    _CR, _PLLCFGR, _CFGR = 0x00, 0x04, 0x08
    _HSI_HZ = 16_000_000

    def __init__(self, hse_hz: int | None) -> None:
        super().__init__("RCC", 0x40023800, 0x400, dict.fromkeys(range(0, 0x98, 4), 0))
        self.values[self._CR] = 0x83
        self.values[self._PLLCFGR] = 0x24003010
        self._hse_hz = hse_hz

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset == self._CR:
            ready = 0x2 if value & 0x1 else 0
            ready |= 0x20000 if value & 0x10000 and self._hse_hz is not None else 0
            ready |= 0x2000000 if value & 0x1000000 else 0
            return value & ~0x2020002 | ready
        if offset == self._CFGR:
            return value & ~0xC | (value & 0x3) << 2
        return value

    def clock_hz(self) -> int:
        """Return the frequency of SYSCLK that the registers select."""
        source = self.values[self._CFGR] & 0x3
        if source == 0:
            return self._HSI_HZ
        if source == 1:
            return self._hse_hz or 0
        pll = self.values[self._PLLCFGR]
        origin = (self._hse_hz or 0) if pll & 0x400000 else self._HSI_HZ
        return origin // (pll & 0x3F) * (pll >> 6 & 0x1FF) // (2 * (pll >> 16 & 0x3) + 2)

    def usart_clock_hz(self) -> int:
        """Return the frequency of PCLK2."""
        prescaler = self.values[self._CFGR] >> 13 & 0x7
        return self.clock_hz() >> max(prescaler - 3, 0)


class Stm32f7Power(RegisterBank):
    """PWR of STM32F74x (RM0385, 4.4): over-drive is ready at once."""

    def __init__(self) -> None:
        super().__init__("PWR", 0x40007000, 0x400, {0x0: 0xC000, 0x4: 0})

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset == 0x4:
            return value | (self.values[0x0] & 0x30000)  # ODRDY follows ODEN, ODSWRDY follows ODSWEN
        return value


def stm32f3(line: SerialLine, *, hse_connected: bool) -> list[Peripheral]:
    """Return the peripherals that firmware/hal/stm32f3 uses; the debugger's clock output has 8 MHz."""
    return [
        Stm32f3Clock(8_000_000 if hse_connected else None),
        RegisterBank("FLASH", 0x40022000, 0x400, {0x0: 0x30}),
        _port("GPIOA", 0x48000000, {0x0: 0xA8000000, 0xC: 0x64000000}),
        Usart("USART2", 0x40004400, line),
    ]


def stm32f7(line: SerialLine, *, hse_connected: bool) -> list[Peripheral]:
    """Return the peripherals that firmware/hal/stm32f7 uses; the crystal of the Discovery kit has 25 MHz."""
    return [
        Stm32f7Clock(25_000_000 if hse_connected else None),
        Stm32f7Power(),
        RegisterBank("FLASH", 0x40023C00, 0x400, {0x0: 0}),
        _port("GPIOA", 0x40020000, {0x0: 0xA8000000, 0xC: 0x64000000}),
        _port("GPIOB", 0x40020400, {0x0: 0x280, 0xC: 0x100}),
        Usart("USART1", 0x40011000, line),
    ]


def _port(name: str, address: int, reset: dict[int, int]) -> RegisterBank:
    return RegisterBank(name, address, 0x400, dict.fromkeys(range(0, 0x2C, 4), 0) | reset)
