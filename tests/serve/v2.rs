//! KServe's Open Inference Protocol.

use serde_json::{Value, json};

use crate::client::{b64, get, post, send};
use crate::predict::{embeddings, rows, standardized};
use crate::served::{DIM, SIZE, Small, crop, png};

const INFER: &str = "/v2/models/facenet/infer";
const LENGTH: &str = "Inference-Header-Content-Length";

#[test]
fn what_is_served_is_told() {
    let Some(server) = Small::start(|_| {}) else { return };
    let get = |path: &str| get(server.address, path);
    let told = get("/v2").expect(200);
    assert_eq!((&told["name"], &told["extensions"]), (&json!("warpface"), &json!(["binary_tensor_data"])));
    for path in
        ["/v2/health/live", "/v2/health/ready", "/v2/models/facenet/ready", "/v2/models/facenet/versions/1/ready"]
    {
        assert_eq!(get(path).status, 200, "{path}");
    }
    let model = get("/v2/models/facenet").expect(200);
    assert_eq!(model["inputs"], json!([{ "name": "input", "datatype": "FP32", "shape": [-1, SIZE, SIZE, 3] }]));
    assert_eq!(model["outputs"], json!([{ "name": "embeddings", "datatype": "FP32", "shape": [-1, DIM] }]));
    assert_eq!(get("/v2/models/facenet/versions/1").expect(200), model);
    get("/v2/models/other").refused(404, &["model other"]);
    get("/v2/models/facenet/versions/2/ready").refused(404, &["version 2"]);
}

#[test]
fn tensors_come_in_json_and_in_bytes() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let expected = embeddings(0..2);
    let flat: Vec<f32> = (0..2).flat_map(standardized).collect();
    let shape = [2, SIZE, SIZE, 3];
    let input = json!({ "name": "input", "shape": shape, "datatype": "FP32", "data": flat });
    let answer = post(address, INFER, json!({ "id": "7", "inputs": [input] }).to_string()).expect(200);
    assert_eq!(
        (&answer["model_name"], &answer["model_version"], &answer["id"]),
        (&json!("facenet"), &json!("1"), &json!("7"))
    );
    let output = &answer["outputs"][0];
    assert_eq!((&output["name"], &output["shape"]), (&json!("embeddings"), &json!([2, DIM])));
    let data = rows(&json!([output["data"]]));
    assert_eq!(data[0], expected.concat());
    // Texts are encoded crops.
    let texts: Vec<Value> = (0..2).map(|seed| b64(&png(&crop(seed)))["b64"].clone()).collect();
    let input = json!({ "name": "image_bytes", "shape": [2], "datatype": "BYTES", "data": texts });
    let answer = post(address, INFER, json!({ "inputs": [input] }).to_string()).expect(200);
    assert_eq!(rows(&json!([answer["outputs"][0]["data"]]))[0], expected.concat());
    // In bytes behind the JSON, and so the answer, too.
    let binary: Vec<u8> = flat.iter().flat_map(|x| x.to_le_bytes()).collect();
    let parameters = json!({ "binary_data_size": binary.len() });
    let input = json!({ "name": "input", "shape": shape, "datatype": "FP32", "parameters": parameters });
    let outputs = json!([{ "name": "embeddings", "parameters": { "binary_data": true } }]);
    let header = json!({ "inputs": [input], "outputs": outputs }).to_string();
    let body = [header.as_bytes(), &binary].concat();
    let answer = send(address, "POST", INFER, &[(LENGTH, &header.len().to_string())], &body);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    let length: usize = answer.header(LENGTH).unwrap().parse().unwrap();
    let told: Value = serde_json::from_slice(&answer.body[..length]).unwrap();
    assert_eq!(told["outputs"][0]["parameters"]["binary_data_size"], 2 * DIM * 4);
    let values: Vec<f32> = answer.body[length..].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!(values, expected.concat());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let good = json!({ "name": "input", "shape": [1, SIZE, SIZE, 3], "datatype": "FP32", "data": standardized(1) });
    let with = |key: &str, value: Value| {
        let mut input = good.clone();
        input[key] = value;
        json!({ "inputs": [input] })
    };
    let cases = [
        (json!({}), "missing field `inputs`"),
        (json!({ "inputs": [] }), "one input is needed"),
        (json!({ "inputs": [good, good] }), "the request has 2"),
        (with("name", json!("x")), "no input is called `x`"),
        (with("datatype", json!("FP16")), "FP16 is not taken"),
        (with("datatype", json!("BYTES")), "numbers are no encoded crops"),
        (with("shape", json!([-1, SIZE, SIZE, 3])), "JSON"),
        (with("shape", json!([2, SIZE, SIZE, 3])), "does not hold 3072 values"),
        (with("data", json!(["YQ=="])), "texts are no numbers"),
        (with("data", Value::Null), "it has no data"),
        (json!({ "inputs": [good], "outputs": [{ "name": "x" }] }), "no output is called `x`"),
        (json!({ "inputs": [good], "parameters": { "binary_data_output": 1 } }), "is true or false"),
        (
            json!({ "inputs": [good], "outputs": [{ "name": "embeddings", "parameters": { "classification": 2 } }] }),
            "no classification",
        ),
    ];
    for (body, words) in cases {
        post(address, INFER, body.to_string()).refused(400, &[words]);
    }
    let body = json!({ "inputs": [good] }).to_string();
    assert_eq!(post(address, INFER, &body).status, 200);
    post(address, "/v2/models/other/infer", &body).refused(404, &["model other"]);
}
