//! Images in the store: what `load`, `images`, `rmi`, `run` and their kind do.
//!
//! An image is visible from the moment that its record is written, and everything that it needs was put in place before.
//! What is being made lies in a locked directory of its own, so that a command that was killed leaves nothing but that.

mod check;
mod commit;
mod describe;
mod import;
mod list;
mod load;
mod lock;
mod mounted;
mod open;
mod programs;
mod remove;
mod resolve;
mod save;
mod stage;
mod sweep;
mod workspace;

pub use check::{CheckOptions, Problem, check};
pub(crate) use commit::{NewImage, commit_image, run_config};
pub use describe::{ImageDescription, LayerDescription, describe_image};
pub use import::{Importing, import};
pub use list::{ImageSummary, images};
pub use load::{LoadedImage, Loading, load};
pub(crate) use mounted::{kept, mounted};
pub use remove::{RemovedImage, prune_images, remove_image, tag_image, untag_image};
pub(crate) use resolve::{hold, image_config};
pub use save::{SaveFormat, Saving, save};
pub(crate) use sweep::after_container;

use keelbox_image::Store;
use keelbox_spec::failure::Failure;

use crate::roots::Roots;

/// The store below these roots, with its directories made.
fn open_store(roots: &Roots) -> Result<Store, Failure> {
    roots.make()?;
    let store = Store::new(&roots.root);
    for directory in store.directories() {
        crate::roots::make_if_missing(&directory)?;
    }
    Ok(store)
}
