/** The bundle behind `--format` and `--filter`. */
export {readFilters} from './filters';
export {formatEach, formatRows} from './template';
