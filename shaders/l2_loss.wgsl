// Half the sum of squares.
//
//     y = sum(x^2) / 2
//
// Workgroups take pieces of 4,096 elements, then one workgroup joins what they give: trees of fixed shape.
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
