//! The stand-ins for fal, OpenAI, Stability AI, ElevenLabs and Black Forest Labs, called as their documentation says.

mod bench;
mod bfl;
mod elevenlabs;
mod fal;
mod files;
mod openai;
mod stability;
