//! Checks the result of the example.

use serde_json::Value;

use crate::Result;

/// Checks that both steps completed, that the second one edited the first one's image, and that the provider was called
/// exactly twice.
pub(super) fn check_job(job: &Value, input: &Value, stats: &Value) -> Result {
    expect_equal("the job's status", &job["status"], &"completed".into())?;
    let steps = job["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [hat, cartoon] = steps else { return Err(format!("the job has {} steps instead of 2", steps.len())) };
    for (step, id) in [(hat, "add_hat_step"), (cartoon, "cartoon_step")] {
        expect_equal("a step's id", &step["id"], &id.into())?;
        expect_equal(&format!("the status of {id}"), &step["status"], &"completed".into())?;
        if step["output"]["output_image"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{id} returned no output_image but {}", step["output"]));
        }
    }
    expect_equal("the first step's picture", &hat["input"]["input_image"], &input["input_image"])?;
    expect_equal("the second step's picture", &cartoon["input"]["input_image"], &hat["output"]["output_image"])?;
    if hat["output"] == cartoon["output"] {
        return Err("both steps returned the same picture".to_owned());
    }
    expect_equal("the job's output", &job["output"], &cartoon["output"])?;
    expect_equal("the number of create calls", &stats["creates"], &2.into())
}

fn expect_equal(what: &str, found: &Value, expected: &Value) -> Result {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found} instead of {expected}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Changes one value of a correct job and checks the message about it.
    fn check(pointer: &str, value: Value, fault: Option<&str>) {
        let step = |id, input, output| json!({"id": id, "status": "completed", "input": {"input_image": input}, "output": {"output_image": output}});
        let mut all = json!({
            "job": {"status": "completed", "output": {"output_image": "c"},
                "steps": [step("add_hat_step", "a", "b"), step("cartoon_step", "b", "c")]},
            "stats": {"creates": 2},
        });
        *all.pointer_mut(pointer).expect("the pointer is right") = value;
        let verdict = check_job(&all["job"], &json!({"input_image": "a"}), &all["stats"]);
        match (verdict, fault) {
            (Ok(()), None) => (),
            (Err(reason), Some(fault)) => assert!(reason.contains(fault), "{reason}"),
            (verdict, fault) => panic!("{pointer}: {verdict:?}, expected {fault:?}"),
        }
    }

    #[test]
    fn only_the_expected_result_is_good() {
        check("/stats/creates", json!(2), None);
        check("/stats/creates", json!(3), Some("create calls is 3"));
        check("/job/status", json!("failed"), Some("status"));
        check("/job/steps", json!([]), Some("0 steps"));
        check("/job/steps/1/status", json!("running"), Some("cartoon_step"));
        check("/job/steps/0/output", json!(null), Some("no output_image"));
        check("/job/steps/1/output/output_image", json!(""), Some("no output_image"));
        check("/job/steps/0/input/input_image", json!("x"), Some("first step's picture"));
        check("/job/steps/1/input/input_image", json!("a"), Some("second step's picture"));
        check("/job/output", json!({"output_image": "b"}), Some("job's output"));
    }
}
