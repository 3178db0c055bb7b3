// Tests that mostly wait may wait together; a fixture says so itself, and those that measure the process run alone.
[assembly: LevelOfParallelism(4)]
