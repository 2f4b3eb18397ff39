//! Choices that follow from the bytes they are about: where to cut them, what to change. Not random: the same bytes give
//! the same choices, so that a finding can be told again from its bytes alone. Look first at [`Dice::of`].

/// A source of choices.
pub(crate) struct Dice(u64);

impl Dice {
    /// The choices that belong to these bytes.
    pub(crate) fn of(data: &[u8]) -> Self {
        // FNV-1a: the standard library's hashers promise no stable values.
        let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// A number below `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % limit
    }

    /// The bytes in pieces of chosen lengths, most of them short.
    pub(crate) fn pieces<'a>(&mut self, data: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = [1, 3, 16, 256][self.below(4)];
        let mut rest = data;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + self.below(longest)));
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}
