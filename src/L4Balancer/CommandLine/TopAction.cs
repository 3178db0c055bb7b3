using System.Text;

namespace L4Balancer.CommandLine;

/// <summary>Something that <c>top</c> does to the row under the cursor, after a question.</summary>
/// <param name="Verb">For the list of keys.</param>
/// <param name="Question">What will be done; <c>{0}</c> is the row.</param>
/// <param name="Path">Of the API; <c>{0}</c> is the row.</param>
/// <param name="Done">What is shown afterwards.</param>
internal sealed record TopAction(char Key, string Verb, CompositeFormat Question, HttpMethod Method, CompositeFormat Path, CompositeFormat Done);

/// <summary>A request that has been confirmed.</summary>
/// <param name="Done">What is shown where it succeeds.</param>
internal sealed record TopRequest(HttpMethod Method, string Path, string Done);
