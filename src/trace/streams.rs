//! Statements about a workload's standard output, for the streams that a user's session has in its place.

/// The type of standard output in a workload: jlsys reads what it prints through a pipe.
const OF_WORKLOADS: &str = "Base.PipeEndpoint";

/// Its types in a terminal, and where output goes to a file.
const OF_SESSIONS: [&str; 2] = ["Base.TTY", "Base.IOStream"];

/// The same statement as it would have been traced in a terminal, and with output to a file; none when it is not about a
/// pipe. Were these left out, a session would compile all printing once more that the workloads have compiled already.
pub(super) fn in_sessions(statement: &str) -> impl Iterator<Item = String> {
    let concerned = statement.contains(OF_WORKLOADS);
    OF_SESSIONS.into_iter().filter(move |_| concerned).map(|stream| statement.replace(OF_WORKLOADS, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_to_a_pipe_is_printing_to_a_terminal_and_to_a_file() {
        let statement =
            "precompile(Tuple{typeof(Base.println), Base.PipeEndpoint, Base.IOContext{Base.PipeEndpoint}})";
        let all: Vec<String> = in_sessions(statement).collect();
        assert_eq!(
            all,
            [
                "precompile(Tuple{typeof(Base.println), Base.TTY, Base.IOContext{Base.TTY}})",
                "precompile(Tuple{typeof(Base.println), Base.IOStream, Base.IOContext{Base.IOStream}})",
            ]
        );
        assert_eq!(in_sessions("precompile(Tuple{typeof(Base.sin), Float64})").count(), 0);
    }
}
