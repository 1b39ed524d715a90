//! Plain loops, compiled once for each instruction set.

/// Defines a function whose first argument is the instruction set to run it with. Its loops are the compiler's to
/// vectorize: it must say what sums go where, since it may not be reassociated. `[E: Bound]` after the name makes it
/// generic.
macro_rules! vectorized {
    ($($(#[$attribute:meta])* $visible:vis fn $name:ident$(<$life:lifetime>)?$([$kind:ident: $bound:path])?($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)+) => {$(
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $visible fn $name<$($life)? $($kind: $bound)?>(isa: $crate::backend::cpu::Isa, $($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body<$($life)? $($kind: $bound)?>($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$($life)? $($kind: $bound)?>($($arg: $type),*) $(-> $result)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512<$($life)? $($kind: $bound)?>($($arg: $type),*) $(-> $result)? {
                body($($arg),*)
            }

            match isa {
                $crate::backend::cpu::Isa::Portable => body($($arg),*),
                // SAFETY: a device's instruction set is one that the machine has.
                #[cfg(target_arch = "x86_64")]
                $crate::backend::cpu::Isa::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::backend::cpu::Isa::Avx512 | $crate::backend::cpu::Isa::Avx512Bf16 => unsafe { avx512($($arg),*) },
                #[cfg(not(target_arch = "x86_64"))]
                _ => unreachable!("not available on this architecture"),
            }
        }
    )+};
}

pub(super) use vectorized;
