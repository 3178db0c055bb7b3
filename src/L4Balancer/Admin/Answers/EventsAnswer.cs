namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/events: the latest lines of the log.</summary>
internal sealed record EventsAnswer(IReadOnlyList<EventAnswer> Events);

/// <summary>One line of the log.</summary>
/// <param name="Number">Number of the event since the start; starts at 1.</param>
/// <param name="Level"><c>debug</c>, <c>info</c>, <c>warning</c> or <c>error</c>.</param>
internal sealed record EventAnswer(long Number, DateTime At, string Level, string Text);
