//! Which webhooks are lost, repeated and forged.

use crate::behaviour::use_one;
use crate::provider::Provider;
use crate::world::World;

/// Returns the deliveries of a webhook: none, one or two; whether each is forged.
pub(crate) fn plan_deliveries(world: &World, provider: Provider) -> Vec<bool> {
    world.with(provider, |state| {
        let switches = &mut state.switches;
        if use_one(&mut switches.lose_webhooks) {
            return Vec::new();
        }
        let forged = use_one(&mut switches.forge_webhooks);
        let count = 1 + usize::from(use_one(&mut switches.repeat_webhooks));
        state.webhooks += count;
        vec![forged; count]
    })
}
