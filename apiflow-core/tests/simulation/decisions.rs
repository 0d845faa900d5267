//! What the random shell decides, and which of it can be left out again.

use std::collections::BTreeMap;

use super::random::Random;

/// A point where the world may go one way or another; 0 is always the calm way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Which of the possible things comes next.
    Order,
    /// What becomes of a commit: see [`super::shell`].
    Commit,
    /// Whether a worker dies between two things.
    Crash,
    /// Whether another worker takes the job although its owner is alive.
    Steal,
    /// Whether a user asks for the job's end.
    Cancel,
    /// Whether a message, a request or a reply takes long.
    Delay,
    /// How late an answer comes whose drive has lost the job.
    Late,
    /// Whether a message is delivered once more.
    Duplicate,
    /// Whether an answer to an attempt that has its outcome is delivered.
    Stale,
    /// Whether what a dead worker was sending arrives.
    Arrives,
    /// Whether a provider limits the rate of calls, and for how long.
    Limited,
    /// Whether the connection is lost on the way back.
    Cut,
    /// Whether a run is restored from its whole journal.
    Whole,
    /// Whether a poll's taker dies with the answer.
    PollLost,
    /// Whether a provider's list cannot be read.
    ListOut,
    /// What people do about a gate that has closed: see [`super::world`].
    Gate,
    /// Whether somebody approves before a gate has closed.
    Early,
}

impl Point {
    pub(crate) const ALL: [Self; 17] = [
        Self::Order,
        Self::Commit,
        Self::Crash,
        Self::Steal,
        Self::Cancel,
        Self::Delay,
        Self::Late,
        Self::Duplicate,
        Self::Stale,
        Self::Arrives,
        Self::Limited,
        Self::Cut,
        Self::Whole,
        Self::PollLost,
        Self::ListOut,
        Self::Gate,
        Self::Early,
    ];
}

/// A decision that was not the calm one: which time its point came up, and what was chosen.
pub(crate) type Script = BTreeMap<(Point, u32), usize>;

/// Decides, at random or as a script says.
#[derive(Debug, Clone)]
pub(crate) struct Decisions {
    source: Source,
    counts: BTreeMap<Point, u32>,
    /// What was decided, without what was calm.
    pub(crate) taken: Script,
}

#[derive(Debug, Clone)]
enum Source {
    Random {
        random: Random,
        /// How many of a thousand decisions are not calm, per point.
        rates: BTreeMap<Point, usize>,
        /// Decisions that may still be other than calm.
        left: usize,
    },
    Script(Script),
}

impl Decisions {
    /// Random ones: some worlds are calm, some have one kind of trouble, some have all.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x00DE_C1DE);
        let mut rates = BTreeMap::new();
        let calm = random.percent(10);
        for point in Point::ALL {
            let rate = *random.pick(&[0, 0, 10, 50, 250]);
            let rate = match point {
                Point::Order => *random.pick(&[0, 300, 900]),
                Point::Cancel => *random.pick(&[0, 0, 0, 8, 30]),
                Point::Whole | Point::Arrives | Point::Gate | Point::Late => 500,
                Point::Early => *random.pick(&[0, 0, 0, 30]),
                Point::Commit
                | Point::Crash
                | Point::Steal
                | Point::Delay
                | Point::Duplicate
                | Point::Stale
                | Point::Limited
                | Point::Cut
                | Point::PollLost => rate,
                Point::ListOut => *random.pick(&[0, 0, 300, 900]),
            };
            rates.insert(point, if calm { 0 } else { rate });
        }
        let left = *random.pick(&[3, 10, 30, 60]);
        Self { source: Source::Random { random, rates, left }, counts: BTreeMap::new(), taken: Script::new() }
    }

    /// Those of a script, all else calm.
    pub(crate) fn scripted(script: Script) -> Self {
        Self { source: Source::Script(script), counts: BTreeMap::new(), taken: Script::new() }
    }

    /// One of so many ways, the first being the calm one.
    pub(crate) fn way(&mut self, point: Point, ways: usize) -> usize {
        if ways < 2 {
            return 0;
        }
        let count = self.counts.entry(point).or_default();
        let nth = *count;
        *count += 1;
        let way = match &mut self.source {
            Source::Script(script) => script.get(&(point, nth)).copied().unwrap_or_default() % ways,
            Source::Random { random, rates, left } => {
                let troubled = random.below(1000) < rates[&point];
                let way = if troubled { 1 + random.below(ways - 1) } else { 0 };
                if way == 0 || (*left == 0 && point != Point::Order) {
                    0
                } else {
                    *left -= usize::from(point != Point::Order);
                    way
                }
            }
        };
        if way != 0 {
            self.taken.insert((point, nth), way);
        }
        way
    }

    /// Whether the troubled way is taken.
    pub(crate) fn happens(&mut self, point: Point) -> bool {
        self.way(point, 2) == 1
    }
}
