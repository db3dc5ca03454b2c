//! What a container's checks say of its health: docker's rules, with the time as an argument.

use std::collections::VecDeque;
use std::time::Duration;

use keelbox_spec::start;

/// How many checks are remembered.
const KEPT: usize = 5;

/// How a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No check has succeeded yet, and too few have failed.
    Starting,
    /// The last check succeeded, or too few have failed since.
    Healthy,
    /// Too many checks have failed in a row.
    Unhealthy,
}

impl Status {
    /// Docker's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// How often a container is checked, and what that comes to. Times are since the container's start.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    interval: Duration,
    start_interval: Duration,
    start_period: Duration,
    /// That one check may take.
    pub timeout: Duration,
    retries: u32,
}

impl Rules {
    /// Those of a start message.
    #[must_use]
    pub fn of(health: &start::Health) -> Self {
        let time = Duration::from_millis;
        Self {
            // A check follows the end of the one before: without a pause nothing else would happen.
            interval: time(health.interval.max(1)),
            start_interval: time(health.start_interval.max(1)),
            start_period: time(health.start_period),
            timeout: time(health.timeout.max(1)),
            retries: health.retries.max(1),
        }
    }
}

/// One check. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// When it began.
    pub start: u64,
    /// When it was over.
    pub end: u64,
    /// Its exit code; -1: it took too long.
    pub exit_code: i32,
    /// The beginning of what it printed.
    pub output: String,
}

/// The health of one container.
#[derive(Clone, Debug)]
pub struct Health {
    rules: Rules,
    status: Status,
    failing_streak: u32,
    log: VecDeque<Checked>,
    due: Duration,
}

impl Health {
    /// That of a container which has just been started.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let mut health = Self {
            rules,
            status: Status::Starting,
            failing_streak: 0,
            log: VecDeque::new(),
            due: Duration::ZERO,
        };
        health.schedule(Duration::ZERO);
        health
    }

    /// When the next check is due.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.due
    }

    /// That one check may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.rules.timeout
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// How often in a row the check has failed.
    #[must_use]
    pub fn failing_streak(&self) -> u32 {
        self.failing_streak
    }

    /// The last checks, the latest last.
    pub fn log(&self) -> impl Iterator<Item = &Checked> {
        self.log.iter()
    }

    /// A check could not be made now (a frozen container): the next is due in its time.
    pub fn skip(&mut self, now: Duration) {
        self.schedule(now);
    }

    /// A check that began at `began` is over. True: the container's status is another now.
    pub fn note(&mut self, began: Duration, now: Duration, checked: Checked) -> bool {
        let before = self.status;
        if checked.exit_code == 0 {
            self.failing_streak = 0;
            self.status = Status::Healthy;
        } else if self.status != Status::Starting || began >= self.rules.start_period {
            self.failing_streak = self.failing_streak.saturating_add(1);
            if self.failing_streak >= self.rules.retries {
                self.status = Status::Unhealthy;
            }
        }
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(checked);
        self.schedule(now);
        self.status != before
    }

    fn schedule(&mut self, now: Duration) {
        let is_early = self.status == Status::Starting && now < self.rules.start_period;
        self.due = now
            + if is_early {
                self.rules.start_interval
            } else {
                self.rules.interval
            };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::of(&start::Health {
            interval: 30_000,
            timeout: 5_000,
            start_period: 10_000,
            start_interval: 1_000,
            retries: 3,
            ..start::Health::default()
        })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ended(exit_code: i32) -> Checked {
        Checked {
            start: 0,
            end: 0,
            exit_code,
            output: String::new(),
        }
    }

    #[test]
    fn one_success_makes_it_healthy() {
        let mut health = Health::new(rules());
        assert_eq!(health.due(), at(1));
        assert!(health.note(at(1), at(2), ended(0)));
        assert_eq!((health.status(), health.due()), (Status::Healthy, at(32)));
        assert!(!health.note(at(32), at(33), ended(0)));
    }

    #[test]
    fn failures_at_the_start_do_not_count() {
        let mut health = Health::new(rules());
        for second in 1..10 {
            assert!(!health.note(at(second), at(second), ended(1)));
        }
        assert_eq!(
            (health.status(), health.failing_streak()),
            (Status::Starting, 0)
        );
        // It began in time, whenever it ended.
        assert!(!health.note(at(9), at(12), ended(1)));
        assert_eq!((health.failing_streak(), health.due()), (0, at(42)));
        assert!(!health.note(at(42), at(42), ended(1)));
        assert!(!health.note(at(72), at(72), ended(1)));
        assert!(health.note(at(102), at(102), ended(-1)));
        assert_eq!(health.status(), Status::Unhealthy);
    }

    #[test]
    fn a_success_ends_a_streak() {
        let mut health = Health::new(rules());
        health.note(at(1), at(1), ended(0));
        health.note(at(31), at(31), ended(1));
        health.note(at(61), at(61), ended(1));
        assert_eq!(
            (health.status(), health.failing_streak()),
            (Status::Healthy, 2)
        );
        health.note(at(91), at(91), ended(0));
        assert_eq!(health.failing_streak(), 0);
        // The start's mercy is over with the first success.
        let mut early = Health::new(rules());
        early.note(at(1), at(1), ended(0));
        early.note(at(2), at(2), ended(1));
        assert_eq!(early.failing_streak(), 1);
    }

    #[test]
    fn five_checks_are_remembered() {
        let mut health = Health::new(rules());
        for number in 0..7 {
            health.note(at(1), at(1), ended(number));
        }
        let codes: Vec<_> = health.log().map(|checked| checked.exit_code).collect();
        assert_eq!(codes, [2, 3, 4, 5, 6]);
    }
}
