// Style sheets that are imported beside the code that needs them: the build puts them into files.
declare module '*.css'
