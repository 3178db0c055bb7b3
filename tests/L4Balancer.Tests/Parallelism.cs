// Tests that mostly wait may wait together; a fixture says so itself.
[assembly: LevelOfParallelism(4)]
