//! joblib's pickles, packed and not.
//! Seeds: `cargo fuzz run joblib corpus/joblib ../../tests/golden/weights/mtcnn`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpface_fuzz::read;

fuzz_target!(|data: &[u8]| {
    read(data);
    // The same bytes behind the format's first ones, so that most inputs reach its reader.
    read(&[b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n".as_slice(), data].concat());
});
