/** Next.js looks for no lock file beyond this folder, and tells nobody what it is. */
export default {
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
};
