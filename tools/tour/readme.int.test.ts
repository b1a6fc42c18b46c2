// README's tour, command by command.
import { takeTour } from './take-tour.ts'

takeTour(['README.md'])
