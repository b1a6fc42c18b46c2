// Pods that are bound together, in one atomic group of the log.

/** Most pods of one group: with a guard for each pod's node they have to fit into one batch of the log, which holds 1,000. */
export const placementsMax = 450
