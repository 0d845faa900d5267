//! Checks the result of the example.

use serde_json::Value;

use crate::Result;

/// The first bytes of a PNG file.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture that a step returned.
#[derive(Debug)]
pub(super) struct KeptPicture {
    /// Id of the step.
    pub(super) step: String,
    /// The content of the artifact.
    pub(super) kept: Vec<u8>,
    /// The file that the provider made.
    pub(super) made: Vec<u8>,
}

/// Checks that both steps completed, that the second one edited the first one's image, and that the provider was called
/// exactly twice.
pub(super) fn check_job(job: &Value, input: &Value, stats: &Value) -> Result {
    expect_equal("the job's status", &job["status"], &"completed".into())?;
    let steps = job["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [hat, cartoon] = steps else { return Err(format!("the job has {} steps instead of 2", steps.len())) };
    for (step, id) in [(hat, "add_hat_step"), (cartoon, "cartoon_step")] {
        expect_equal("a step's id", &step["id"], &id.into())?;
        expect_equal(&format!("the status of {id}"), &step["status"], &"completed".into())?;
        let image = &step["output"]["output_image"];
        if image["artifact"].as_str().is_none_or(str::is_empty) || image["mime"] != "image/png" {
            return Err(format!("{id} returned no output_image that is a PNG but {}", step["output"]));
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

/// Checks that the kept pictures are PNG files, as the provider made them, and that they differ.
pub(super) fn check_pictures(pictures: &[KeptPicture]) -> Result {
    for KeptPicture { step, kept, made } in pictures {
        if !kept.starts_with(PNG_SIGNATURE) {
            return Err(format!("the kept picture of {step} is not a PNG file"));
        }
        if kept != made {
            return Err(format!("the kept picture of {step} is not the one that the provider made"));
        }
    }
    match pictures {
        [hat, cartoon] if hat.kept != cartoon.kept => Ok(()),
        [_, _] => Err("both steps kept the same picture".to_owned()),
        _ => Err(format!("{} pictures were kept instead of 2", pictures.len())),
    }
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
        let image = |id| json!({"artifact": id, "mime": "image/png"});
        let step = |id, input, output| json!({"id": id, "status": "completed", "input": {"input_image": input}, "output": {"output_image": image(output)}});
        let mut all = json!({
            "job": {"status": "completed", "output": {"output_image": image("c")},
                "steps": [step("add_hat_step", json!("a"), "b"), step("cartoon_step", image("b"), "c")]},
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
        check("/job/steps/1/output/output_image", json!("c"), Some("no output_image"));
        check("/job/steps/1/output/output_image/mime", json!("text/html"), Some("no output_image"));
        check("/job/steps/0/input/input_image", json!("x"), Some("first step's picture"));
        check("/job/steps/1/input/input_image", json!("a"), Some("second step's picture"));
        check("/job/output", json!({"output_image": "b"}), Some("job's output"));
    }

    #[test]
    fn only_two_different_pictures_of_the_provider_are_good() {
        let file = |content: &str| [PNG_SIGNATURE, content.as_bytes()].concat();
        let picture = |kept, made| KeptPicture { step: "a_step".to_owned(), kept, made };
        let check = |pictures: Vec<KeptPicture>, fault: Option<&str>| match (check_pictures(&pictures), fault) {
            (Ok(()), None) => (),
            (Err(reason), Some(fault)) => assert!(reason.contains(fault), "{reason}"),
            (verdict, fault) => panic!("{pictures:?}: {verdict:?}, expected {fault:?}"),
        };
        let good = || picture(file("a"), file("a"));
        check(vec![good(), picture(file("b"), file("b"))], None);
        check(vec![good(), good()], Some("same picture"));
        check(vec![good()], Some("1 pictures"));
        check(vec![good(), picture(file("b"), file("c"))], Some("not the one"));
        check(vec![good(), picture(b"<html>".to_vec(), b"<html>".to_vec())], Some("not a PNG"));
    }
}
