/** Number of the repository format (`backrest-format`); it never changed since pgBackRest 1.0. */
export const BACKREST_FORMAT = 5;
