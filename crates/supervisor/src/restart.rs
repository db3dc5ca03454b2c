//! Whether and when a container that has ended is started again.

use std::time::Duration;

use keelbox_spec::start::Restart;

/// The first pause, the longest one, and for how long a container must have run to begin again with the first: docker's.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
const STEADY: Duration = Duration::from_secs(10);

/// How a container ended, as far as its policy asks.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// As a shell would show it.
    pub exit_code: u8,
    /// Somebody asked for its end.
    pub stopped: bool,
    /// For how long it ran.
    pub ran: Duration,
    /// How often it was started again before.
    pub restarts: u32,
}

/// The pause before a start, which doubles from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    last: Duration,
}

impl BackOff {
    /// After a pause of so many milliseconds.
    #[must_use]
    pub fn after(milliseconds: u64) -> Self {
        Self {
            last: Duration::from_millis(milliseconds),
        }
    }

    /// The pause.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.last.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long to wait before it is started again; None: it is not.
    #[must_use]
    pub fn next(self, policy: Restart, end: End) -> Option<Duration> {
        let again = match policy {
            Restart::No => false,
            Restart::OnFailure(most) => end.exit_code != 0 && (most == 0 || end.restarts < most),
            Restart::Always | Restart::UnlessStopped => true,
        };
        if !again || end.stopped {
            return None;
        }
        if end.ran >= STEADY || self.last.is_zero() {
            return Some(FIRST);
        }
        Some((self.last * 2).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: End = End {
        exit_code: 1,
        stopped: false,
        ran: Duration::from_millis(5),
        restarts: 0,
    };

    fn pauses(ran: Duration) -> Vec<u128> {
        let mut last = BackOff::default();
        let mut pauses = Vec::new();
        for restarts in 0..12 {
            let end = End {
                ran,
                restarts,
                ..FAILED
            };
            let pause = last.next(Restart::Always, end).unwrap();
            pauses.push(pause.as_millis());
            last = BackOff::after(u64::try_from(pause.as_millis()).unwrap());
        }
        pauses
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let expected = [
            100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000,
        ];
        assert_eq!(pauses(Duration::from_secs(1)), expected);
    }

    #[test]
    fn a_container_that_has_run_for_a_while_begins_anew() {
        assert!(pauses(Duration::from_secs(10)).iter().all(|ms| *ms == 100));
    }

    #[test]
    fn policies_say_when() {
        let next = |policy, end| BackOff::default().next(policy, end).is_some();
        let well = End {
            exit_code: 0,
            ..FAILED
        };
        assert!(!next(Restart::No, FAILED));
        assert!(next(Restart::Always, well) && next(Restart::UnlessStopped, well));
        assert!(next(Restart::OnFailure(0), FAILED) && !next(Restart::OnFailure(0), well));
        let third = End {
            restarts: 3,
            ..FAILED
        };
        assert!(next(Restart::OnFailure(4), third) && !next(Restart::OnFailure(3), third));
    }

    #[test]
    fn one_that_was_stopped_stays_so() {
        let stopped = End {
            stopped: true,
            ..FAILED
        };
        for policy in [
            Restart::Always,
            Restart::UnlessStopped,
            Restart::OnFailure(0),
        ] {
            assert_eq!(BackOff::default().next(policy, stopped), None);
        }
    }
}
