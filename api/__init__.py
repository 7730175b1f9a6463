"""Every way in: HTTP, command line and worker; settings; the one place where parts are wired."""
