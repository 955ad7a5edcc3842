/** Who this program is, and which behaviour of pgBackRest it answers for. */

/** Version of walferry. */
export const WALFERRY_VERSION = "0.1.0";

/** The pgBackRest release whose behaviour and files this version follows; written as `backrest-version` and printed to pgBackRest's clients. */
export const BACKREST_VERSION = "2.59.1";
