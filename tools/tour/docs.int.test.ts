// The pages below docs/ that tell commands, each on the cluster that README starts, or on one of its own.
import { takeTour } from './take-tour.ts'

takeTour(['docs/time-travel.md', 'docs/sql.md', 'docs/running-services-apart.md', 'docs/process-nodes.md'])
