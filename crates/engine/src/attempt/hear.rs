//! Hearing a supervisor out until the container's command runs.

use std::os::fd::OwnedFd;

use keelbox_process::{receive, send};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::Side;
use keelbox_spec::plan::Plan;
use keelbox_supervisor::protocol::{Event, Request};

use super::Refused;
use crate::lifecycle::StepDone;
use crate::plan_view::StepView;
use crate::translate;

/// The first process, and its terminal where the client moves its bytes.
pub(super) type Heard = (i32, Option<OwnedFd>);

/// Hears the supervisor out until the command runs.
pub(super) fn hear(
    control: &OwnedFd,
    plan: &Plan,
    on_step: &mut dyn FnMut(StepDone),
) -> Result<Heard, Refused> {
    let lost = || Refused {
        failure: Failure::new(
            Code::Runtime,
            "the container's supervisor ended before the container was started",
        )
        .hint("try again; if it happens again, report it with the output of keelbox info"),
        lack: None,
    };
    loop {
        let Ok(Some(received)) = receive::<Event>(control) else {
            return Err(lost());
        };
        match received.message {
            Event::Done { index, nanoseconds } => tell_step(plan, index, nanoseconds, on_step),
            Event::Ready => drop(send(control, &Request::Proceed, &[])),
            Event::Started { pid } => return Ok((pid, received.fds.into_iter().next())),
            Event::Failed {
                index,
                call,
                errno,
                note,
            } => return Err(translate::refusal(&plan.steps, index, &call, errno, &note)),
            _ => {}
        }
    }
}

/// Microseconds to one decimal: below that, the clock's own cost shows.
fn tenths(nanoseconds: u64) -> f64 {
    let tenths = std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1e7;
    tenths.round() / 10.0
}

fn tell_step(plan: &Plan, index: u32, nanoseconds: u64, on_step: &mut dyn FnMut(StepDone)) {
    let Some(step) = usize::try_from(index)
        .ok()
        .and_then(|index| plan.steps.get(index))
    else {
        return;
    };
    let microseconds = tenths(nanoseconds);
    let side = if step.side == Side::Launcher {
        "launcher"
    } else {
        "init"
    };
    on_step(StepDone {
        step: StepView::of(step),
        index,
        side,
        microseconds,
    });
}
