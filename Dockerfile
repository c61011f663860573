# PyMARL-K on the CPU: docker build -t pymarlk . && docker run --rm -v "$PWD:/runs" pymarlk --help
# Results go into the folder results of the one that you are in.
FROM python:3.12-slim
ENV OMP_NUM_THREADS=1 PIP_NO_CACHE_DIR=1
RUN pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /build/
COPY requirements /build/requirements
COPY src /build/src
RUN pip install "/build[plots,render,export]" && rm -r /build
WORKDIR /runs
ENTRYPOINT ["pymarlk"]
