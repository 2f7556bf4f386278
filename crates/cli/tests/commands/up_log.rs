//! The logs of `signet up`, and what it says of itself.

use std::fs::File;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signet_testkit::{Sandbox, request};

use crate::{run, service, signet};

#[test]
fn the_log_of_a_stack_is_searched_in_all_its_shards() {
    let sandbox = Sandbox::new();
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, log: {search: public}}";
    sandbox.write("up.yaml", config);
    let service = service::up(&sandbox, &["--dev", "--config", "up.yaml"]);
    let find = || {
        let answer =
            request(service.address(), "GET", "/api/v1/search?limit=9", &[], &[]).expect("it answers");
        assert_eq!(answer.status, 200);
        serde_json::from_slice::<Value>(&answer.body).expect("JSON")
    };
    let first = find();
    assert_eq!(
        (&first["size"], &first["entries"][0]["shard"]),
        (&json!(1), &json!(service.said("logOrigin")))
    );
    run(&sandbox, &["log", "rotate", "--data", "up"]).exits(0);
    let both = find();
    assert_eq!((&both["size"], both["entries"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    drop(service);
    let without = service::up(&sandbox, &["--dev"]);
    let answer = request(without.address(), "GET", "/api/v1/search", &[], &[]).expect("it answers");
    assert_eq!(answer.status, 404, "it is served if it is asked for");
}

#[test]
fn what_it_says_at_its_start_is_json_where_its_log_is() {
    let sandbox = Sandbox::new();
    let config = "{apiVersion: signet.dev/v1alpha1, kind: Stack, logging: {format: json}}";
    sandbox.write("up.yaml", config);
    let said = File::create(sandbox.path("said")).expect("a file");
    let mut command = sandbox.command(signet());
    let args = ["up", "--data", "up", "--config", "up.yaml", "--listen", "127.0.0.1:0"];
    let mut up = command.args(args).stdout(Stdio::null()).stderr(said).spawn().expect("it starts");
    let lines = loop {
        let said = String::from_utf8(sandbox.read("said")).expect("text");
        // A last line without its end is still being written.
        let lines: Vec<_> = said.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        if lines.len() >= 2 {
            break lines.into_iter().map(str::to_owned).collect::<Vec<_>>();
        }
        assert_eq!(up.try_wait().expect("it can be asked"), None, "it runs: {said}");
        thread::sleep(Duration::from_millis(20));
    };
    up.kill().expect("it runs");
    up.wait().expect("it ends");
    let messages = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        line["fields"]["message"].as_str().unwrap_or_default().to_owned()
    });
    let messages = messages.collect::<Vec<_>>().join("\n");
    assert!(messages.contains("nobody gets a certificate"), "{messages}");
    assert!(messages.contains("no root of trust is published"), "{messages}");
}
