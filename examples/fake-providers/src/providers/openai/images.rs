//! `POST /images/generations` and `/images/edits`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::{PROVIDER, reply_with_wrong_parameter, wait_for_success};
use crate::body::{JsonPart, reply_with_json_parts};
use crate::call::{Call, Part};
use crate::clock::to_micros;
use crate::media::{InputImage, Media};
use crate::providers::{draw_pictures, parse_size, render_content};
use crate::task::Task;
use crate::world::World;

/// Names of the part that holds the image to change.
const IMAGE_PARTS: [&str; 2] = ["image", "image[]"];

/// Makes images from a prompt.
pub(super) async fn generate(State(world): State<Arc<World>>, call: Call) -> Response {
    let body = call.json();
    let accepted = world.open_call(PROVIDER, &call, body.clone()).and_then(|number| {
        let outputs = draw(&body, None)?;
        let model = body["model"].as_str().unwrap_or("gpt-image-1").to_owned();
        world.accept(PROVIDER, &call, number, (&model, body.clone()), outputs)
    });
    reply_with_images(&world, accepted).await
}

/// Changes images: multipart, with one or several images.
pub(super) async fn edit(State(world): State<Arc<World>>, call: Call) -> Response {
    let form = match call.read_form().await {
        Ok(form) => form,
        Err(reason) => return reply_with_wrong_parameter("body", &reason),
    };
    let accepted = world.open_call(PROVIDER, &call, form.describe()).and_then(|number| {
        let Some(image) = form.file(&IMAGE_PARTS) else {
            return Err(Box::new(reply_with_wrong_parameter("image", "Missing required parameter: 'image'.")));
        };
        check_image_type(image)?;
        let number_of_images = form.text("n").and_then(|text| text.parse::<u64>().ok());
        let body = json!({"prompt": form.text("prompt"), "size": form.text("size"), "n": number_of_images, "model": form.text("model"), "output_format": form.text("output_format")});
        let outputs = draw(&body, Some(InputImage::from_bytes(image.bytes.clone())))?;
        let model = form.text("model").unwrap_or("gpt-image-1");
        world.accept(PROVIDER, &call, number, (model, body), outputs)
    });
    reply_with_images(&world, accepted).await
}

fn check_image_type(image: &Part) -> Result<(), Box<Response>> {
    match image.content_type.as_deref() {
        Some("image/png" | "image/jpeg" | "image/webp") => Ok(()),
        other => {
            let found = other.unwrap_or("application/octet-stream");
            let message = format!(
                "Invalid file 'image': unsupported mimetype ('{found}'). Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'."
            );
            Err(Box::new(reply_with_wrong_parameter("image", &message)))
        }
    }
}

fn draw(body: &Value, input: Option<Arc<InputImage>>) -> Result<Vec<Media>, Box<Response>> {
    let Some(prompt) = body["prompt"].as_str().filter(|prompt| !prompt.is_empty()) else {
        return Err(Box::new(reply_with_wrong_parameter("prompt", "Missing required parameter: 'prompt'.")));
    };
    let count = body["n"].as_u64().unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(Box::new(reply_with_wrong_parameter("n", "Invalid value for 'n': expected a value from 1 to 10.")));
    }
    let size = body["size"].as_str().and_then(parse_size);
    let mut pictures = draw_pictures(prompt, "", count, size);
    for picture in &mut pictures {
        picture.input.clone_from(&input);
    }
    Ok(pictures.into_iter().map(Media::Png).collect())
}

async fn reply_with_images(world: &World, accepted: Result<Task, Box<Response>>) -> Response {
    let succeeded = match accepted {
        Ok(task) => wait_for_success(world, task).await,
        Err(reply) => Err(reply),
    };
    let task = match succeeded {
        Ok(task) => task,
        Err(reply) => return *reply,
    };
    let created = (world.started_us + to_micros(std::time::UNIX_EPOCH + task.created)) / 1_000_000;
    let mut parts = vec![JsonPart::Text(format!("{{\"created\":{created},\"data\":["))];
    for (index, media) in task.outputs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        parts.push(JsonPart::Text(format!("{comma}{{\"b64_json\":\"")));
        parts.push(JsonPart::Base64(render_content(media, &task.switches).await));
        parts.push(JsonPart::Text("\"}".into()));
    }
    let usage = json!({"total_tokens": 100, "input_tokens": 50, "output_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}});
    parts.push(JsonPart::Text(format!("],\"output_format\":\"png\",\"quality\":\"low\",\"usage\":{usage}}}")));
    reply_with_json_parts(parts)
}
