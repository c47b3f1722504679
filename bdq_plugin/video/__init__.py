"""Video in: files for training, files, addresses and cameras for streaming, read the same way.

The lowest layer of the package, which knows PyAV and NumPy alone. It is not a part of ``datasets``,
because importing that takes torch and MMAction2, which neither a camera (:mod:`bdq_plugin.deploy`)
nor the process that decodes for a data set's worker (:mod:`.isolation`) has::

    datasets  -- IsolatedVideo, VideoFile -->  video  <-- VideoSource --  deploy
"""
