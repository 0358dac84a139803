//! Numbers for generated people: every index has one of its own in every scheme, none reserved for fixtures.

/// A scheme's range of numbers. Numbers of one scheme have one length, so that they sort as their texts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Series {
    Amayesh,
    Census,
    Fida,
    Hoviat,
    LaissezPasser,
    Passport,
    TemporaryCard,
    Yekta,
}

impl Series {
    /// The scheme's code. The order of the variants is the order of the codes.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Amayesh => "amayesh-no",
            Self::Census => "census-tracking",
            Self::Fida => "fida",
            Self::Hoviat => "hoviat-no",
            Self::LaissezPasser => "laissez-passer-no",
            Self::Passport => "passport",
            Self::TemporaryCard => "temporary-card-no",
            Self::Yekta => "yekta",
        }
    }

    /// First number and how many there are; they keep clear of the fixtures' numbers and of everything from 999000 on.
    const fn range(self) -> (u64, u64) {
        match self {
            Self::Amayesh | Self::Hoviat => (200_000_000, 780_000_000),
            Self::Census => (200_000_000_000, 780_000_000_000),
            Self::Fida => (100_000_000_000, 90_000_000_000),
            Self::LaissezPasser => (1_000_000_000, 8_000_000_000),
            Self::Passport => (10_000_000, 88_000_000),
            Self::TemporaryCard => (400_000_000, 580_000_000),
            // Nine digits; the check digit follows.
            Self::Yekta => (900_000_000, 98_000_000),
        }
    }

    /// The number of the person with this index.
    pub(super) fn number(self, index: u64) -> u64 {
        let (first, size) = self.range();
        // A multiplier that shares no divisor with the size (2, 3, 5, 7, 11, 13, 29 at most) visits every number once.
        let place = u128::from(index) * 1_000_000_007 % u128::from(size);
        let number = first + u64::try_from(place).unwrap_or(0);
        if self == Self::Yekta { number * 10 + national_code_check(number) } else { number }
    }

    /// A number as it stands on the paper.
    pub(super) fn text(self, number: u64) -> String {
        match self {
            Self::Amayesh => format!("A{number}"),
            Self::Hoviat => format!("H{number}"),
            Self::LaissezPasser => format!("LP{number}"),
            Self::Passport => format!("P{number}"),
            Self::TemporaryCard => format!("T{number}"),
            Self::Census | Self::Fida | Self::Yekta => number.to_string(),
        }
    }
}

/// As many people as the smallest range has numbers.
pub(super) const MOST_PEOPLE: u64 = 88_000_000;

/// The check digit of nine digits (domain §5).
pub(super) fn national_code_check(nine: u64) -> u64 {
    let mut sum = 0;
    let mut rest = nine;
    for weight in 2..=10 {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    let remainder = sum % 11;
    if remainder < 2 { remainder } else { 11 - remainder }
}
