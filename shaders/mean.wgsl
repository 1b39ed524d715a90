// The mean of all elements.
//
//     y = sum(x) / elements, 0 for none
//
// A partial sum of 4,096 elements a workgroup, then one workgroup adds them: trees of fixed shape.
// Operations: 1 an element. Bytes: x read once.

#include "reduce"

// What an element adds.
fn term(i: u32) -> f32 {
    return x[i];
}

// What the sum comes to.
fn result(sum: f32) -> f32 {
    return sum / f32(max(p.elements, 1u));
}
