//! Checks retries: limits, and delays that do not grow or grow too far.

use super::checker::Checker;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::{Place, Retry};

/// Maximum number of retries. Source: OpenFlow, a 16-bit number.
const MAX_ATTEMPTS: u32 = 65_535;

/// Maximum delay, in seconds. Source: OpenFlow, six hours.
const MAX_DELAY_S: u64 = 6 * 60 * 60;

impl Checker<'_> {
    pub(super) fn check_retry(&mut self, retry: &Retry, place: &Place<'_>) {
        let constant_attempts = retry.constant.as_ref().map_or(0, |constant| constant.attempts);
        if let Some(constant) = &retry.constant {
            let at = place.key("constant");
            self.check_attempts(constant.attempts, &at);
            if constant.attempts > 0 && constant.seconds > MAX_DELAY_S {
                self.warn_capped(constant.seconds, &at.key("seconds"));
            }
        }
        let Some(exponential) = &retry.exponential else {
            return;
        };
        let at = place.key("exponential");
        self.check_attempts(exponential.attempts, &at);
        if let Some(factor) = exponential.random_factor
            && !(0..=100).contains(&factor)
        {
            let message = format!("`random_factor` is a percentage from 0 to 100, found {factor}");
            self.push(Diagnostic::new_warning(codes::RETRY_BOUNDS, at.key("random_factor").pointer(), message));
        }
        if exponential.attempts == 0 {
            return;
        }
        if exponential.seconds == 0 {
            let message = "the base `seconds` is 0, so all retries run immediately: it must be at least 1";
            self.push(Diagnostic::new_error(codes::RETRY_ZERO_BASE, at.pointer(), message));
        } else if exponential.multiplier == 0 {
            let message = "`multiplier` is 0, so all retries run immediately";
            self.push(Diagnostic::new_warning(codes::RETRY_ZERO_BASE, at.key("multiplier").pointer(), message));
        } else {
            let exponent = constant_attempts.saturating_add(exponential.attempts);
            let longest = exponential.seconds.saturating_pow(exponent).saturating_mul(exponential.multiplier);
            if longest > MAX_DELAY_S {
                self.warn_capped(longest, &at);
            }
        }
    }

    fn check_attempts(&mut self, attempts: u32, place: &Place<'_>) {
        if attempts > MAX_ATTEMPTS {
            let message = format!("`attempts` is at most {MAX_ATTEMPTS}, found {attempts}");
            self.push(Diagnostic::new_error(codes::RETRY_BOUNDS, place.key("attempts").pointer(), message));
        }
    }

    fn warn_capped(&mut self, longest: u64, place: &Place<'_>) {
        let said = match longest {
            u64::MAX => "more than 10^19".to_owned(),
            seconds => seconds.to_string(),
        };
        let message = format!("the longest delay would be {said} seconds; it is limited to {MAX_DELAY_S} (6 hours)");
        self.push(Diagnostic::new_warning(codes::RETRY_BOUNDS, place.pointer(), message));
    }
}
