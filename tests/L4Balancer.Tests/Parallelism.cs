// Fixtures whose tests mostly wait (for rates, intervals and timeouts of a daemon) run beside each other; a fixture says so itself. More of them at a
// time than there are processors: a daemon that is waited for needs none.
// All others run alone: they count descriptors, measure time or memory, or use the whole machine.
[assembly: LevelOfParallelism(6)]
