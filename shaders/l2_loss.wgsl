// Half the sum of squares.
//
//     y = sum(x^2) / 2
//
// A partial sum of 4,096 elements a workgroup, then one workgroup adds them: trees of fixed shape.
// Operations: 2 an element. Bytes: x read once.

#include "reduce"

// What an element adds.
fn term(i: u32) -> f32 {
    return x[i] * x[i];
}

// What the sum comes to.
fn result(sum: f32) -> f32 {
    return 0.5 * sum;
}
