@rem npm start begins with exec, so that signals and the exit code are those of the service. cmd does not know it, and
@rem finds this file: it runs the rest of the line.
@%*
