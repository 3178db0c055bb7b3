// Tests that mostly wait may wait together; a fixture says so itself, and those that measure the process run alone. More of them at a time than
// there are processors: what they wait for are timeouts of their own engines.
[assembly: LevelOfParallelism(8)]
