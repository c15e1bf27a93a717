/** An error that the same call meets again until something is changed. */
export const final = (exitCode: number, httpStatus = 500) => ({ retriable: false, httpStatus, exitCode });
/** An error that may be over when the same call is made later. */
export const again = (exitCode: number, httpStatus = 503) => ({ retriable: true, httpStatus, exitCode });
