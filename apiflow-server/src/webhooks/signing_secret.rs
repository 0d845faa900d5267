//! The secrets that sign messages: one per user, derived from the server's key, so that none is stored.

use apiflow_core::ports::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::api::{EarlierWebhookSecret, WebhookSecret};
use crate::http::problem::Problem;
use crate::state::AppState;

/// How long the secret before a rotation still signs, beside the new one.
const OVERLAP_MS: u64 = 24 * 3_600_000;

/// Marks a symmetric secret. Source: Standard Webhooks.
const SECRET_PREFIX: &str = "whsec_";

/// The secrets of a user that sign a message: the present one, and the one before for a day after a rotation.
pub(crate) struct SigningSecrets {
    present: [u8; 32],
    /// The one before, and until when it signs.
    earlier: Option<([u8; 32], Timestamp)>,
}

impl SigningSecrets {
    /// Reads the secrets of a user.
    pub(crate) async fn of_user(state: &AppState, user: &str) -> Result<Self, Problem> {
        let generation = state.accounts.read_webhook_generation(user).await?;
        Ok(Self::of_generation(state, user, generation))
    }

    /// Begins a new secret; the present one signs for another day.
    pub(crate) async fn rotate(state: &AppState, user: &str) -> Result<Self, Problem> {
        let generation = state.accounts.rotate_webhook_secret(user, state.clock.now()).await?;
        Ok(Self::of_generation(state, user, Some(generation)))
    }

    fn of_generation(state: &AppState, user: &str, generation: Option<(u64, Timestamp)>) -> Self {
        let derive = |generation: u64| state.secrets.derive_key(&format!("webhooks of {user}, secret {generation}"));
        let (number, rotated_at) = generation.map_or((1, None), |(number, at)| (number, Some(at)));
        let until = rotated_at.map(|at| at.plus_ms(OVERLAP_MS)).filter(|until| *until > state.clock.now());
        Self { present: derive(number), earlier: until.map(|until| (derive(number - 1), until)) }
    }

    /// Returns the secrets as their user sees them.
    pub(crate) fn view(&self) -> WebhookSecret {
        let earlier = self.earlier.as_ref().map(|(secret, until)| EarlierWebhookSecret {
            secret: secret_text(secret),
            signs_until: until.to_rfc3339(),
        });
        WebhookSecret { secret: secret_text(&self.present), earlier }
    }

    /// Returns the header `webhook-signature`: one signature per secret.
    pub(crate) fn sign_message(&self, id: &str, seconds: u64, body: &str) -> String {
        let secrets = std::iter::once(&self.present).chain(self.earlier.as_ref().map(|(secret, _)| secret));
        let signatures = secrets.map(|secret| {
            let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
            context.update(format!("{id}.{seconds}.").as_bytes());
            context.update(body.as_bytes());
            format!("v1,{}", STANDARD.encode(context.sign()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn secret_text(secret: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the example of the reference libraries of Standard Webhooks.
    #[test]
    fn a_message_is_signed_as_the_published_example() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &key),
            b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}",
        );
        assert_eq!(STANDARD.encode(tag), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn during_an_overlap_both_secrets_sign() {
        let secrets = SigningSecrets { present: [1; 32], earlier: Some(([2; 32], Timestamp(5))) };
        let both = secrets.sign_message("msg_1", 7, "{}");
        let alone = |secret| SigningSecrets { present: secret, earlier: None }.sign_message("msg_1", 7, "{}");
        assert_eq!(both, format!("{} {}", alone([1; 32]), alone([2; 32])));
        assert_eq!(secrets.view().secret, format!("whsec_{}", STANDARD.encode([1; 32])));
    }
}
