pub fn evaluate() {}
