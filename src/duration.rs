//! Spans of time, as people say them.

/// How long something took: `4.2 s`, `3 min 5 s`, `1 h 20 min`.
pub fn took(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// How long something will take that took so long before, no more exactly than that is known: `20 s`, `3 min`, `1 h 20 min`.
pub fn about(seconds: f64) -> String {
    let to = |step: f64| (seconds / step).round().max(1.0) * step;
    match seconds {
        _ if seconds < 10.0 => "10 s at most".to_owned(),
        _ if seconds < 57.5 => took_whole(to(5.0)),
        _ if seconds < 3600.0 => took_whole(to(60.0)),
        _ => took_whole(to(600.0)),
    }
}

/// A limit that somebody set, to the second: `90 s` is `1 min 30 s`.
pub fn limit(time: std::time::Duration) -> String {
    if time.subsec_millis() == 0 { took_whole(time.as_secs_f64()) } else { took(time.as_secs_f64()) }
}

fn took_whole(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.0} s") } else { took(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_said_in_minutes() {
        let said = [0.04, 4.2, 59.9, 59.96, 125.4, 180.0, 3600.0, 4799.0].map(took);
        assert_eq!(said, ["0.0 s", "4.2 s", "59.9 s", "1 min", "2 min 5 s", "3 min", "1 h", "1 h 19 min"]);
    }

    #[test]
    fn an_estimate_is_no_more_exact_than_it_can_be() {
        let said = [3.0, 12.0, 57.0, 59.0, 100.0, 3590.0, 4000.0].map(about);
        assert_eq!(said, ["10 s at most", "10 s", "55 s", "1 min", "2 min", "1 h", "1 h 10 min"]);
    }

    #[test]
    fn a_limit_is_said_as_it_was_set() {
        let said = [60, 90, 45, 600].map(|seconds| limit(std::time::Duration::from_secs(seconds)));
        assert_eq!(said, ["1 min", "1 min 30 s", "45 s", "10 min"]);
    }
}
